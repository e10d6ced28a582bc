"""PPO-Lagrangian and its robust forms."""

from safer_gym.agents.ppo_lagrangian.ppo_lagrangian import PPOLagrangian

__all__ = ["PPOLagrangian"]
