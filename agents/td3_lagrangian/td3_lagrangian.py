"""TD3-Lagrangian: Stable-Baselines3's TD3 whose actor pays for cost."""

from __future__ import annotations

from stable_baselines3 import TD3

from safer_gym.agents.constrained import Constrained
from safer_gym.agents.lagrangian.lagrangian import Lagrangian
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.td3_lagrangian.delayed import Delayed


class TD3Lagrangian(Delayed, Lagrangian, OffPolicy, Constrained, TD3):
    """Twin delayed DDPG under a cost limit: the actor ascends (Q_r - lam Q_c) / (1 + lam).

    The arguments are those of `Delayed`, `Lagrangian` and Stable-Baselines3's TD3.
    """

    BASE = TD3
