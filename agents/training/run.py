"""One training from start to end: its folder, checkpoints, the policy that is kept, a record.

model.zip is the policy that was chosen, last.zip the learner's last one; both are whole or not
there. A training that was ended early goes on from its latest checkpoint.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from safer_gym.agents.finite import NotFiniteError
from safer_gym.agents.model_file import replacing
from safer_gym.agents.overlap.ahead import AheadVecEnv
from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.averaging import average_actor
from safer_gym.agents.training.checkpoint import (
    CheckpointCallback,
    latest_checkpoint,
    load_checkpoint,
)
from safer_gym.agents.training.claim import CHECKPOINTS, POLICIES, claimed
from safer_gym.agents.training.curve import CurvePoint, last_means, read_curve, write_curve
from safer_gym.agents.training.plan import ENVIRONMENT, Run
from safer_gym.agents.training.snapshots import SnapshotCallback, snapshots
from safer_gym.progress import told_as

CURVE = "curve.csv"
LAST = "last.zip"
FIRST_SHARE = 0.6
"""From this share of a training on, its policies are candidates."""
CANDIDATES = 10


class Choice(NamedTuple):
    """The chosen candidate and how all of them did."""

    path: Path
    table: list[dict[str, Any]]


def keep_last(candidates: list[Path], run: Run) -> Choice:
    """The learner's last policy, which needs no episodes to be chosen."""
    return Choice(candidates[-1], [])


@contextmanager
def never() -> Iterator[Callable[[], bool]]:
    """A training that is not stopped from outside."""
    yield lambda: False


def candidate_steps(timesteps: int) -> list[int]:
    """When to keep a policy in a training of `timesteps`."""
    first, last = FIRST_SHARE * timesteps, float(timesteps)
    gap = (last - first) / CANDIDATES
    return [round(first + gap * index) for index in range(CANDIDATES)]


class Trained(NamedTuple):
    """How far a training came."""

    curve: list[CurvePoint]
    timesteps: int
    finished: bool
    """False where it was asked to stop; the same call goes on from its last checkpoint."""


def train(
    run: Run,
    *,
    resume: bool = True,
    choose: Callable[[list[Path], Run], Choice] = keep_last,
    progress: Callable[[float, str], None] | bool | None = None,
    say: Callable[[str], None] = print,
    stopping: Callable[[], AbstractContextManager[Callable[[], bool]]] = never,
    about: Callable[[], dict[str, Any]] = dict,
) -> Trained:
    """Train up to `run.timesteps`, from the latest checkpoint where there is one.

    Args:
        run: what is trained; see `planned`.
        resume: False starts over.
        choose: from the kept policies, oldest first, to the one that goes to `run.model`. The
            command line chooses by episodes: `safer_gym.conformance.cli.selection.choose_policy`.
        progress: True shows a bar; a function is called with the share that is done and a note.
        say: called with what went wrong and was survived.
        stopping: a context around the learning, whose value is asked at every step; True ends the
            training after a last checkpoint.
        about: what the record says beside the training itself, such as versions.

    Raises:
        ValueError: the folder holds another run, or another process trains there.
        NotFiniteError: (a ValueError) a number that is not finite; names the last good checkpoint.
        OSError: the model could not be saved.
    """
    with (
        claimed(run.out, run.settings(), resume=resume),
        told_as(progress, "training", lambda share, note: share) as telling,
    ):
        if run.model.exists() and _trained(run) >= run.timesteps:
            telling(1.0, "already done")
            return Trained(read_curve(run.out / CURVE), _trained(run), True)
        return _train(run, choose, telling, say, stopping, about)


def _train(
    run: Run,
    choose: Callable[[list[Path], Run], Choice],
    progress: Callable[[float, str], None],
    say: Callable[[str], None],
    stopping: Callable[[], AbstractContextManager[Callable[[], bool]]],
    about: Callable[[], dict[str, Any]],
) -> Trained:
    with closing(_environments(run)) as envs, stopping() as stop:
        model, curve = _start(run, envs)
        callback = CheckpointCallback(
            run.out / CHECKPOINTS,
            curve=curve,
            on_progress=lambda done: progress(min(done / run.timesteps, 1.0), _note(callback)),
            stop=stop,
            report=say,
        )
        kept = SnapshotCallback(run.out / POLICIES, candidate_steps(run.timesteps))
        _learn(run, model, CallbackList([callback, kept]), say)
    if stop():
        return Trained(callback.curve, model.num_timesteps, False)
    _finish(run, model, callback.curve, choose, about)
    return Trained(callback.curve, model.num_timesteps, True)


def _learn(
    run: Run, model: BaseAlgorithm, callback: BaseCallback, say: Callable[[str], None]
) -> None:
    left = run.timesteps - model.num_timesteps
    model.set_logger(Logger(None, []))  # or it would leave an empty folder in the system's /tmp
    try:
        model.learn(max(left, 0), callback=callback, reset_num_timesteps=False)
    except NotFiniteError as error:
        kept = latest_checkpoint(run.out / CHECKPOINTS)
        where = f"The last good checkpoint is {kept}." if kept else "There is no checkpoint yet."
        raise NotFiniteError(f"{error} {where}") from error
    except OSError as error:
        if model.num_timesteps < run.timesteps:
            raise
        # The last checkpoint holds the replay buffer; the policy alone may still fit.
        say(f"could not save the last checkpoint ({error})")


def _trained(run: Run) -> int:
    """Steps of the finished policy; 0 where a kill left it without its record."""
    record = run.model.with_suffix(".json")
    return int(json.loads(record.read_text()).get("timesteps", 0)) if record.exists() else 0


def _environments(run: Run) -> VecEnv:
    kind: Any = AheadVecEnv if run.overlap else DummyVecEnv
    return make_vec_env(run.task.make, run.n_envs, run.seed, vec_env_cls=kind)


def _start(run: Run, envs: VecEnv) -> tuple[BaseAlgorithm, list[CurvePoint]]:
    algorithm = find_algorithm(run.algorithm).load()
    checkpoint = latest_checkpoint(run.out / CHECKPOINTS)
    if checkpoint is None:
        kwargs = copy.deepcopy(run.kwargs)  # Stable-Baselines3's SAC writes into policy_kwargs
        is_dict = isinstance(envs.observation_space, spaces.Dict)
        policy = "MultiInputPolicy" if is_dict else "MlpPolicy"
        return algorithm(policy, envs, seed=run.seed, device="cpu", **kwargs), []
    model, curve = load_checkpoint(algorithm, checkpoint, envs, device="cpu")
    # Loading seeds everything as at the start; the same exploration twice would teach less.
    model.set_random_seed(run.seed + model.num_timesteps)
    return model, curve


def _finish(
    run: Run,
    model: BaseAlgorithm,
    curve: list[CurvePoint],
    choose: Callable[[list[Path], Run], Choice],
    about: Callable[[], dict[str, Any]],
) -> None:
    last = run.out / LAST
    partial = run.out / ".model.partial.zip"
    try:
        model.save(partial)
        if run.average:
            final = run.out / POLICIES / f"step_{model.num_timesteps:09d}.zip"
            os.replace(partial, final)
            average_actor(model, snapshots(run.out / POLICIES)[-run.average :])
            model.save(partial)
        os.replace(partial, last)
        choice = choose([*snapshots(run.out / POLICIES), last], run)
        shutil.copyfile(choice.path, partial)
        os.replace(partial, run.model)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    write_curve(run.out / CURVE, curve)
    record = {
        "task": run.task.name,
        **({ENVIRONMENT: run.task.changes} if run.task.changes else {}),
        "algorithm": run.algorithm,
        "seed": run.seed,
        "timesteps": model.num_timesteps,
        "n_envs": run.n_envs,
        "kwargs": run.settings()["kwargs"],
        "overlap": run.overlap,
        "average": run.average,
        **last_means(curve),
        "chosen": choice.path.stem,
        "candidates": choice.table,
        **about(),
        "command": run.full_command,
    }
    _write_json(run.model.with_suffix(".json"), record)


def _note(callback: CheckpointCallback) -> str:
    latest = callback.curve[-1:]
    return "".join(f"reward {p.ep_rew_mean:.0f}, cost {p.ep_cost_mean:.1f}" for p in latest)


def _write_json(path: Path, value: Any) -> None:
    with replacing(path, "json") as file:
        file.write((json.dumps(value, indent=1) + "\n").encode())
