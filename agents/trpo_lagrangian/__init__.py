"""TRPO with a Lagrange multiplier on the cost; needs the extra `contrib`."""

from safer_gym.agents.trpo_lagrangian.trpo_lagrangian import TRPOLagrangian

__all__ = ["TRPOLagrangian"]
