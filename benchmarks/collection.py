"""Environment steps a second of the tasks, beside the package that they are built from.

The package's step is that of the release that is installed, without Gym's wrappers; ours has
Gymnasium's time limit and checks around it. "Physics" is the simulator's own step alone, in our
world: what no Python could make faster.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import gymnasium
import numpy as np

import safer_gym  # noqa: F401  (registers the tasks)
from benchmarks.timing import Lap, Runner, interleave, lap_of
from safer_gym.wrappers.adapters.silence import native_silence
from safer_gym.wrappers.tasks import TASKS, Task

PAPER = ("ball-circle", "car-circle", "drone-run", "ant-run")


def measure(
    *,
    tasks: tuple[str, ...] = PAPER,
    steps: int = 50,
    package: bool = True,
    repetitions: int = 9,
) -> dict[str, Any]:
    """Time `steps` random steps of each task and a reset, and the package's own where asked for."""
    rows = [_task(TASKS[name], steps, package, repetitions) for name in tasks]
    return {"benchmark": "collection", "setting": {"steps": steps}, "rows": rows}


def _task(spec: Task, steps: int, package: bool, repetitions: int) -> dict[str, Any]:
    env = gymnasium.make(spec.env_id)
    simulate = env.unwrapped.world.client.stepSimulation  # type: ignore[attr-defined]
    variants = {
        "ours": _walk(env, lambda: env.reset(seed=0), steps),
        "physics": lap_of(lambda: [simulate() for _ in range(steps)]),
        "reset": lap_of(lambda: env.reset(seed=0)),
    }
    if package:
        theirs = _package_env(spec)
        variants["package"] = _walk(theirs, theirs.reset, steps)
        variants["package reset"] = lap_of(theirs.reset)
    cpu = {name: timing.cpu for name, timing in interleave(variants, repetitions).items()}
    env.close()
    row = {
        "task": spec.name,
        "steps/CPU s": steps / cpu["ours"],
        "physics alone": steps / cpu["physics"],
        "share of physics": cpu["physics"] / cpu["ours"],
        "reset CPU ms": 1e3 * cpu["reset"],
    }
    if package:
        row["package's steps"] = steps / cpu["package"]
        row["ours / package's"] = cpu["package"] / cpu["ours"]
        row["package's reset"] = 1e3 * cpu["package reset"]
    return row


def _walk(env: Any, reset: Callable[[], Any], steps: int) -> Runner:
    """Times steps from a reset, which does not count."""
    shape = (steps, *env.action_space.shape)
    actions = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def run() -> Lap:
        reset()
        return lap_of(lambda: [env.step(action) for action in actions])()

    return run


def _package_env(spec: Task) -> Any:
    """The package's own environment of the task, as its registry makes it."""
    with warnings.catch_warnings(), native_silence(), redirect_stderr(sys.__stderr__):
        warnings.simplefilter("ignore")
        import bullet_safety_gym  # noqa: F401
        import gym

        made = gym.make(f"Safety{spec.title.replace('-', '')}-v0").unwrapped
        gc.collect()  # it leaves open files behind, which warn when they are found
    return getattr(made, "env", made)  # Gym puts a wrapper around environments of its old kind
