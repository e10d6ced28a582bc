"""Puts the tasks into Gymnasium's registry. Imports no simulator."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from safer_gym.wrappers.adapters.tasks import TASKS


def register_envs() -> None:
    """Register every task that is not registered yet. Safe to call again."""
    for spec in TASKS.values():
        if spec.id not in registry:
            register(
                id=spec.id,
                entry_point="safer_gym.wrappers.adapters.bullet:BulletTask",
                max_episode_steps=spec.horizon,
                kwargs={"task": spec.name},
            )
