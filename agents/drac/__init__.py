"""DRAC: a task policy and a safety policy, each with its adversary (Li et al., 2024)."""

from safer_gym.agents.drac.drac import DRAC

__all__ = ["DRAC"]
