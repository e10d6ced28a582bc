"""Puts the tasks into Gymnasium's registry. Imports no simulator, and Gymnasium only if it is used.

Gymnasium takes longer to import than the rest of this package: whoever only computes bounds or
attacks should not wait for it. Where it is not loaded yet, the tasks are registered as soon as it
is, through the import system's own hook.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from safer_gym.wrappers.adapters.bullet_tasks import BULLET_TASKS
from safer_gym.wrappers.worlds.tasks import GRASPING, WORLDS


def register_envs() -> None:
    """Register every task that is not registered yet. Safe to call again."""
    from gymnasium.envs.registration import register, registry

    for spec in BULLET_TASKS.values():
        if spec.id not in registry:
            register(
                id=spec.id,
                entry_point="safer_gym.wrappers.adapters.bullet:BulletTask",
                max_episode_steps=spec.horizon,
                kwargs={"task": spec.name},
            )
    for world in (*WORLDS, *GRASPING):
        if world.task.env_id not in registry:
            register(
                id=world.task.env_id,
                entry_point=world.entry_point,
                max_episode_steps=world.task.horizon,
                kwargs=dict(world.options),
            )


def register_with_gymnasium() -> None:
    """`register_envs` now, or at the end of Gymnasium's own import."""
    if "gymnasium" in sys.modules:
        register_envs()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


class _AfterGymnasium(MetaPathFinder):
    """Finds Gymnasium once, as the other finders do, and registers the tasks when it has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module: ModuleType) -> None:
                run(module)
                register_envs()

            spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec
