"""SAC with a Lagrange multiplier on the cost."""

from safer_gym.agents.sac_lagrangian.sac_lagrangian import SACLagrangian

__all__ = ["SACLagrangian"]
