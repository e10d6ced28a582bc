"""DDPG-Lagrangian: Stable-Baselines3's DDPG whose actor pays for cost."""

from __future__ import annotations

from stable_baselines3 import DDPG

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.lagrangian.lagrangian import Lagrangian
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.td3_lagrangian.delayed import Delayed


class DDPGLagrangian(Delayed, Lagrangian, OffPolicy, Constrained, DDPG):
    """TD3-Lagrangian with one reward critic, no delay and no smoothing of its target.

    The arguments are those of `Delayed`, `Lagrangian` and Stable-Baselines3's DDPG.
    """

    BASE = DDPG
