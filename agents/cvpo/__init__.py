"""Constrained variational policy optimisation."""

from safer_gym.agents.cvpo.cvpo import CVPO

__all__ = ["CVPO"]
