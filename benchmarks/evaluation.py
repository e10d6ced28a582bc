"""How much slower an attacked evaluation is than a natural one, environments in lockstep.

Both run through `safer_gym.conformance.evaluate`, on the real tasks, with the same seeds. Each call
builds its environments anew; "stepping" is what is left without the time that this takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

import safer_gym.wrappers  # noqa: F401  (registers the tasks)
from benchmarks.collection import PAPER
from benchmarks.networks import make_agent
from benchmarks.timing import interleave, lap_of, ratio
from safer_gym.attacks import make_attack
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers.tasks import TASKS


def measure(
    *,
    tasks: tuple[str, ...] = tuple(TASKS[name].env_id for name in PAPER),
    n_envs: tuple[int, ...] = (16, 25),
    max_steps: int | None = 100,
    steps: int = 10,
    width: int = 256,
    eps: float = 0.05,
    repetitions: int = 3,
) -> dict[str, Any]:
    """Natural and attacked evaluation of an untrained agent, in turns, for each task.

    Args:
        n_envs: how many environments step together; 25 is `evaluate`'s own choice.
    """
    rows = [
        _task(task, number, max_steps, steps, width, eps, repetitions)
        for task in tasks
        for number in n_envs
    ]
    setting = {"attack": "mc", "steps": steps, "max_steps": max_steps}
    return {
        "benchmark": "evaluation",
        "setting": setting | {"width": width, "eps": eps},
        "rows": rows,
    }


def _task(
    task: str,
    n_envs: int,
    max_steps: int | None,
    steps: int,
    width: int,
    eps: float,
    repetitions: int,
) -> dict[str, Any]:
    def make_env() -> gym.Env:
        return gym.make(task)

    env = make_env()
    agent = make_agent("cvpo", width, env=env)
    agent.policy.set_training_mode(False)
    counts: dict[str, int] = {}

    def runner(label: str, attack: str, **options: Any) -> Callable[[], None]:
        chosen = {label: make_attack(attack, **options)}

        def run() -> None:
            (outcomes,) = evaluate(
                agent,
                make_env,
                chosen,
                eps=eps,
                n_episodes=n_envs,
                n_envs=n_envs,
                max_steps=max_steps,
            )
            counts[label] = int(outcomes.lengths.sum())

        return run

    variants = {
        "natural": lap_of(runner("natural", "null")),
        "attacked": lap_of(runner("attacked", "mc", steps=steps)),
        "building": lap_of(lambda: [made.close() for made in [make_env() for _ in range(n_envs)]]),
    }
    timings = interleave(variants, repetitions)
    env.close()
    slower = ratio(timings, "natural", "attacked")
    natural, attacked, building = (timings[name].cpu for name in variants)
    steps_per_s = {name: counts[name] / timings[name].wall for name in counts}
    steps_per_cpu_s = {name: counts[name] / timings[name].cpu for name in counts}
    return {
        "task": task,
        "n_envs": n_envs,
        "env_steps": counts,
        "env_steps_per_s": steps_per_s,
        "env_steps_per_cpu_s": steps_per_cpu_s,
        "attacked_speed_of_natural": slower,
        "stepping": (natural - building) / max(attacked - building, 1e-9),
        "timings": {name: timing.to_json() for name, timing in timings.items()},
    }
