"""One environment, one policy, one attack at a time: can it be watched live?

A step is the policy's answer to what it is shown, and the step of `ObservationAdversary` with the
attack on what comes next.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym

import safer_gym  # noqa: F401  (registers the tasks)
from benchmarks.collection import PAPER
from benchmarks.networks import make_agent
from benchmarks.timing import interleave, lap_of
from safer_gym.attacks import make_attack
from safer_gym.wrappers import ObservationAdversary
from safer_gym.wrappers.tasks import TASKS, Task


def measure(
    *,
    tasks: tuple[str, ...] = PAPER,
    steps: int = 10,
    width: int = 256,
    walk: int = 50,
    repetitions: int = 9,
) -> dict[str, Any]:
    """Walks of `walk` steps with an untrained agent, without and with MC of `steps` steps."""
    setting = {"attack": "mc", "steps": steps, "width": width}
    rows = [_task(TASKS[task], steps, width, walk, repetitions) for task in tasks]
    return {"benchmark": "live", "setting": setting, "rows": rows}


def _task(spec: Task, steps: int, width: int, walk: int, repetitions: int) -> dict[str, Any]:
    plain = gym.make(spec.env_id)
    agent = make_agent("cvpo", width, env=plain)
    attack = make_attack("mc", steps=steps)
    attacked = ObservationAdversary(gym.make(spec.env_id), attack, policy=agent, eps=spec.eps)

    def steps_of(env: gym.Env) -> None:
        obs, _ = env.reset(seed=0)
        for _ in range(walk):
            action, _ = agent.predict(obs, deterministic=True)
            obs, *_ = env.step(action)

    variants = {"natural": lambda: steps_of(plain), "attacked": lambda: steps_of(attacked)}
    timings = interleave({name: lap_of(work) for name, work in variants.items()}, repetitions)
    plain.close()
    attacked.close()
    row: dict[str, Any] = {"task": spec.name}
    for name, timing in timings.items():
        row[f"{name}, ms"] = 1e3 * timing.wall / walk
        row[f"{name}, CPU ms"] = 1e3 * timing.cpu / walk
    return row
