"""DRAC: a task policy and a safety policy, each with its adversary (Li et al., 2024)."""
