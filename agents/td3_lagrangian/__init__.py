"""TD3 and DDPG with a Lagrange multiplier on the cost."""

from safer_gym.agents.td3_lagrangian.ddpg_lagrangian import DDPGLagrangian
from safer_gym.agents.td3_lagrangian.td3_lagrangian import TD3Lagrangian

__all__ = ["DDPGLagrangian", "TD3Lagrangian"]
