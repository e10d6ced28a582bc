"""Loads PyBullet and the parts of Bullet-Safety-Gym that need no Gym.

Bullet-Safety-Gym's own package file imports `gym`, which is dead, and registers ids there. Its
robots, tasks, worlds and obstacles do not need it, so only they are imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import sys
import types
from typing import Any, NamedTuple

from gymnasium.error import DependencyNotInstalled

from safer_gym.wrappers.adapters.silence import native_silence

_PACKAGE = "bullet_safety_gym"


class Engine(NamedTuple):
    """The modules that a task is built of."""

    pybullet: Any
    agents: Any
    tasks: Any
    worlds: Any
    obstacles: Any
    data_path: str


class Client:
    """One headless physics server; every PyBullet function, bound to it, as an attribute."""

    def __init__(self, pybullet: Any) -> None:
        self._pybullet = pybullet
        self._pid = os.getpid()
        self._client = int(pybullet.connect(pybullet.DIRECT))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._pybullet, name)
        if inspect.isbuiltin(value):
            value = functools.partial(value, physicsClientId=self._client)
        self.__dict__[name] = value  # found without this detour from now on
        return value

    def close(self) -> None:
        """Disconnect. A forked child must not: the server belongs to its parent."""
        if self._client >= 0 and self._pid == os.getpid():
            self._pybullet.disconnect(physicsClientId=self._client)
        self._client = -1


@functools.cache
def load_engine() -> Engine:
    """Import the simulator and the task parts, silently.

    Raises:
        gymnasium.error.DependencyNotInstalled: names what is missing and the extra to install.
    """
    try:
        with native_silence():
            pybullet = importlib.import_module("pybullet")
            importlib.import_module("pybullet_utils.bullet_client")
            modules = _import_parts()
    except ImportError as error:
        raise DependencyNotInstalled(
            f"The Bullet tasks need pybullet and bullet-safety-gym ({error}). "
            "Install them with: pip install 'safer-gym[bullet]'"
        ) from error
    agents, tasks, worlds, obstacles, bases = modules
    return Engine(pybullet, agents, tasks, worlds, obstacles, bases.get_data_path())


def _import_parts() -> list[types.ModuleType]:
    """Import the parts below a stand-in for the package, then forget the stand-in.

    Nothing stays in `sys.modules`: a later `import bullet_safety_gym` of the user's is his own.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.submodule_search_locations is None:
        raise ImportError(f"No module named {_PACKAGE!r}")
    before = {name: sys.modules.pop(name) for name in _loaded_names()}
    package = types.ModuleType(_PACKAGE)
    package.__path__ = list(found.submodule_search_locations)
    sys.modules[_PACKAGE] = package
    try:
        return [
            importlib.import_module(f"{_PACKAGE}.envs.{part}")
            for part in ("agents", "tasks", "worlds", "obstacles", "bases")
        ]
    finally:
        for name in _loaded_names():
            del sys.modules[name]
        sys.modules.update(before)


def _loaded_names() -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] == _PACKAGE]
