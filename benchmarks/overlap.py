"""What it brings to collect in a second process during the updates.

Trainings by the recipes, with the same number of environment steps and updates, plain and with an
AheadVecEnv, in turns. A lap is timed from the end of one rollout to the end of another, so that it
holds as many rounds of updates as rollouts, and neither the start of a process nor the first
rollout, for which nothing can be done at the same time.
"""

from __future__ import annotations

import time
from contextlib import closing
from statistics import median
from typing import Any, NamedTuple

import gymnasium as gym
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from benchmarks.timing import Lap, interleave, ratio
from experiments.safer.methods import find_method
from safer_gym.agents import AheadVecEnv
from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.wrappers.tasks import find_task

TASKS = ("ball-circle", "car-circle")
METHODS = ("SAFER-attacked", "CVPO-vanilla", "ADV-CVPO")
PLAIN, OVERLAPPED = "plain", "overlapped"


class _Clocked(gym.Wrapper):
    """Tells the CPU seconds of the process that it is in."""

    def cpu_seconds(self) -> float:
        return time.process_time()


class _Mark(NamedTuple):
    wall: float
    here: float
    there: float
    """CPU seconds of the process that trains, and of the environments' where it is another."""


class _Training(BaseCallback):
    """An agent that learns on for `rounds` rounds in each lap, after one that does not count."""

    def __init__(self, model: Any, rounds: int) -> None:
        super().__init__()
        self.agent, self.rounds, self.updates = model, rounds, model.gradient_steps
        self.there: list[float] = []

    def __call__(self) -> Lap:
        self.marks: list[_Mark] = []
        self.agent.gradient_steps = self.updates
        steps = self.agent.n_envs * self.agent.train_freq.frequency
        self.agent.learn((self.rounds + 1) * steps, callback=self, reset_num_timesteps=False)
        first, last = self.marks[0], self.marks[-1]
        self.there.append(last.there - first.there)
        here = last.here - first.here
        return Lap(last.wall - first.wall, here + self.there[-1])

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        elsewhere = isinstance(self.training_env, AheadVecEnv)
        there = self.training_env.env_method("cpu_seconds", indices=0)[0] if elsewhere else 0.0
        self.marks.append(_Mark(time.perf_counter(), time.process_time(), there))
        if len(self.marks) > self.rounds:
            self.agent.gradient_steps = 0  # nothing more is timed


def measure(
    *,
    tasks: tuple[str, ...] = TASKS,
    methods: tuple[str, ...] = METHODS,
    rounds: int = 1,
    repetitions: int = 3,
    part: int = 2,
    **changed: Any,
) -> dict[str, Any]:
    """Laps of `rounds` rounds of each task's recipes, SAFER's attack at its full radius.

    Args:
        part: a round is that part of the recipe's, steps and updates alike.
        changed: overrides arguments of the recipes.
    """
    setting = {"rounds": rounds, "part": part, "repetitions": repetitions}
    rows = []
    for task in tasks:
        plain, ahead = _environments(task, DummyVecEnv), _environments(task, AheadVecEnv)
        with closing(plain), closing(ahead):
            for method in methods:
                trainings = {
                    name: _Training(_agent(task, method, env, part, changed), rounds)
                    for name, env in ((PLAIN, plain), (OVERLAPPED, ahead))
                }
                rows.append({"task": task, "method": method} | _row(trainings, setting))
    return {"benchmark": "overlap", "setting": setting, "rows": rows}


def _environments(task: str, kind: Any) -> VecEnv:
    name, n_envs = find_task(task).env_id, RECIPES[task]["cvpo"]["n_envs"]
    return make_vec_env(lambda: _Clocked(gym.make(name)), n_envs, seed=0, vec_env_cls=kind)


def _agent(task: str, name: str, env: VecEnv, part: int, changed: dict[str, Any]) -> Any:
    method = find_method(name, task)
    options = RECIPES[task][method.algorithm]["kwargs"] | method.options
    options |= {key: options[key] // part for key in ("train_freq", "gradient_steps")}
    options |= {"eps_schedule": "constant"} | changed
    return find_algorithm(method.algorithm).load()(
        "MlpPolicy", env, seed=0, device="cpu", **options
    )


def _row(trainings: dict[str, _Training], setting: dict[str, int]) -> dict[str, float]:
    timings = interleave(trainings, setting["repetitions"])
    there = median(trainings[OVERLAPPED].there[1:])
    plain, overlapped = timings[PLAIN], timings[OVERLAPPED]
    here = overlapped.cpu - there
    gain = ratio(timings, PLAIN, OVERLAPPED)
    return {
        "plain, wall s": plain.wall,
        "overlapped": overlapped.wall,
        "times faster": gain["wall"],
        "plain, CPU s": plain.cpu,
        "updates": here,
        "collection": there,
        "CPU, overlapped / plain": 1.0 / gain["cpu"],
        "at best, times faster": plain.cpu / max(here, there),
    }
