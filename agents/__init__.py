"""Learn policies that stay safe under attack: Stable-Baselines3-style algorithms."""

from safer_gym.agents.cvpo import CVPO
from safer_gym.agents.drac import DRAC
from safer_gym.agents.overlap.ahead import AheadVecEnv
from safer_gym.agents.ppo_lagrangian import PPOLagrangian
from safer_gym.agents.sac_lagrangian import SACLagrangian
from safer_gym.agents.safer import SAFER
from safer_gym.agents.td3_lagrangian import DDPGLagrangian, TD3Lagrangian

__all__ = [
    "CVPO", "DRAC", "SAFER", "AheadVecEnv", "DDPGLagrangian", "PPOLagrangian", "SACLagrangian",
    "TD3Lagrangian",
]  # fmt: skip
