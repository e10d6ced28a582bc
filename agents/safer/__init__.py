"""SAFER: robust variational off-policy learning."""

from safer_gym.agents.safer.safer import SAFER

__all__ = ["SAFER"]
