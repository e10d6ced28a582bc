"""Learning curves on Ball-Circle: what a policy is worth against the time that it took to train.

A run keeps policies on the way and evaluates each under attack when training is over, so that both
clocks count the training and nothing else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv

from safer_gym.agents import AheadVecEnv
from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.selection import EPISODES as CHOOSING_EPISODES
from safer_gym.conformance.cli.selection import SEED as CHOOSING_SEED
from safer_gym.conformance.cli.selection import score
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import write_json
from safer_gym.conformance.provenance import commit
from safer_gym.wrappers.tasks import find_task

TASK = "ball-circle"
Run = dict[str, Any]
"""A training as JSON: its case, its seed, and what its policies were worth on the way."""
KEPT = Path("runs/benchmarks")
"""Finished runs; one that is here is not made again."""


class Case(NamedTuple):
    """A recipe of Ball-Circle, and what is changed in it."""

    name: str
    algorithm: str
    recipe: str
    timesteps: int
    options: dict[str, Any] = {}
    attacks: tuple[str, ...] = ("natural", "mc", "mr")
    shares: tuple[float, ...] = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    """Of the training, where its policy is evaluated under attack."""
    episodes: int = 20
    """Of each attack and policy."""
    n_envs: int = 0
    """Environments side by side; 0 is the recipe's number."""
    overlap: bool = False
    """Collect in a second process during the updates; the CPU clock then counts one process."""


TRAINING = ("algorithm", "recipe", "timesteps", "options", "n_envs", "overlap")
"""What the policies depend on; the other fields say how they are evaluated."""

TINY = Case(
    "tiny",
    "safer",
    "demo",
    timesteps=40,
    options={"gradient_steps": 1, "learning_starts": 20, "train_freq": 10},
    shares=(1.0,),
    episodes=1,
    n_envs=2,
)


class _Stopwatch(BaseCallback):
    """Saves the policy at each due step, and what the training had cost by then."""

    def __init__(self, folder: Path, due: list[int]) -> None:
        super().__init__()
        self.folder, self.due = folder, due
        self.saved: list[dict[str, Any]] = []
        self.wall = self.cpu = 0.0

    def _on_training_start(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        while self.due and self.due[0] <= self.num_timesteps:
            self._save()

    def _on_training_end(self) -> None:
        while self.due:
            self._save()

    def _save(self) -> None:
        now = time.perf_counter(), time.process_time()
        wall, cpu = (end - start for end, start in zip(now, self.began, strict=True))
        path = self.folder / f"{self.due.pop(0)}.zip"
        self.model.save(path)
        self.saved.append(
            {"timesteps": self.num_timesteps, "cpu_s": cpu, "wall_s": wall, "path": path}
        )


def recorded(file: Path) -> list[Run]:
    """The runs that a table of results was made of; none where there is no file."""
    if not file.exists():
        return []
    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    return list(result.get("runs", []))


def learn(case: Case, seed: int, made: Sequence[Run] = (), kept: Path | None = KEPT) -> Run:
    """Train `case`, unless it is among those `made`, or an earlier call left it in `kept`.

    Args:
        made: runs to take instead of training anew, where they are of the same training.
        kept: where a finished run goes; None keeps nothing.

    Returns:
        The case, the seed, and `points`: one for each checkpoint, with its time in seconds and
        what every attack made of its policy.
    """
    same = [run for run in made if _is_training_of(run, case, seed)]
    if same:
        return same[0]
    if kept is None:
        return _learn(case, seed)
    path = kept / f"{case.name.replace(' ', '-')}-{seed}.json"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        write_json(path, _learn(case, seed))
    run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return run


def _settings(case: Case) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(json.dumps(case._asdict(), default=repr))
    return settings


def _is_training_of(run: Run, case: Case, seed: int) -> bool:
    made, asked = ({**Case._field_defaults, **s} for s in (run["settings"], _settings(case)))
    return run["seed"] == seed and all(made[key] == asked[key] for key in TRAINING)


def _learn(case: Case, seed: int) -> Run:
    recipe, load = RECIPES[TASK][case.recipe], os.getloadavg()[0]
    kind: Any = AheadVecEnv if case.overlap else DummyVecEnv
    n_envs = case.n_envs or recipe["n_envs"]
    envs = make_vec_env(find_task(TASK).make, n_envs, seed, vec_env_cls=kind)
    options = recipe["kwargs"] | case.options
    model = find_algorithm(case.algorithm).load()(
        "MlpPolicy", envs, seed=seed, device="cpu", **options
    )
    with TemporaryDirectory() as folder, Bar() as bar:
        watch = _Stopwatch(Path(folder), [round(case.timesteps * share) for share in case.shares])
        model.learn(case.timesteps, callback=watch)
        envs.close()
        points = [_met(case, point, bar) for point in watch.saved]
    return {
        "case": case.name,
        "seed": seed,
        "settings": _settings(case),
        "load_1min": load,
        "commit": commit(),
        "points": points,
    }


def _met(case: Case, point: dict[str, Any], bar: Reporter) -> dict[str, Any]:
    """A checkpoint with its results on the episodes of the test, and its score on the choice's."""
    tested = _outcomes(case, point["path"], case.episodes, 0, bar)
    choosing = _outcomes(case, point["path"], CHOOSING_EPISODES, CHOOSING_SEED, bar)
    return {
        "timesteps": point["timesteps"],
        "cpu_s": point["cpu_s"],
        "wall_s": point["wall_s"],
        "reward": tested[0].mean_return,
        "costs": {outcome.attack: outcome.mean_cost for outcome in tested},
        "rewards": {outcome.attack: outcome.mean_return for outcome in tested},
        "worst_cost": max(outcome.mean_cost for outcome in tested),
        "choosing_score": score(choosing),
    }


def _outcomes(case: Case, path: Path, episodes: int, seed: int, bar: Reporter) -> list[Outcomes]:
    task = find_task(TASK)
    file = find_model(str(path), case.algorithm, TASK)
    return measure(file, task, Plan(case.attacks, (task.eps,), "linf", episodes, seed), bar)
