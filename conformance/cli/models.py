"""Load a policy by file or by packaged name, as the class that wrote it."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.agents.common.model_file import algorithm_of
from safer_gym.choices import choose
from safer_gym.conformance.zoo import packaged_path, packaged_policies, packaged_record

ALGORITHMS = {
    "safer": "safer_gym.agents:SAFER",
    "cvpo": "safer_gym.agents:CVPO",
    "sac": "stable_baselines3:SAC",
    "td3": "stable_baselines3:TD3",
    "ddpg": "stable_baselines3:DDPG",
    "ppo": "stable_baselines3:PPO",
    "a2c": "stable_baselines3:A2C",
    "tqc": "sb3_contrib:TQC",
    "crossq": "sb3_contrib:CrossQ",
}


class ModelFile(NamedTuple):
    """A saved policy and what is known of it."""

    name: str
    path: Path
    algorithm: str
    task: str
    record: dict[str, Any]
    """How it was made; empty where nothing is known."""


def find_model(model: str, algorithm: str = "", task: str = "") -> ModelFile:
    """Resolve a packaged name or the path of a saved model.

    Raises:
        FileNotFoundError: neither; names the packaged policies.
        ValueError: the algorithm or the task can not be told and is not given, or the file is
            not a saved model.
    """
    if model in packaged_policies():
        record, path = packaged_record(model), packaged_path(model)
        known_task, known = model.split("/")
    else:
        path = Path(model)
        if not path.is_file():
            raise FileNotFoundError(
                f"no file {model!r} and no packaged policy of that name; packaged are: "
                f"{', '.join(packaged_policies()) or 'none'}"
            )
        sidecar = path.with_suffix(".json")
        record = json.loads(sidecar.read_text()) if sidecar.exists() else {}
        known_task, known = record.get("task", ""), _stated(path, record)
    if algorithm and known and algorithm != known:
        raise ValueError(f"{model} holds a {known} model, not {algorithm}")
    algorithm = algorithm or known
    if not algorithm:
        raise ValueError(
            f"{model} does not say which algorithm made it; pass --algorithm, one of "
            f"{', '.join(ALGORITHMS)}"
        )
    choose("algorithm", algorithm, ALGORITHMS)
    task = task or known_task
    if not task:
        raise ValueError(f"{model} does not say its task; pass --task")
    return ModelFile(model, path, algorithm, task, record)


def _stated(path: Path, record: dict[str, Any]) -> str:
    """The algorithm's short name by the file or by its record, or ""."""
    stated = (algorithm_of(path) or "").lower()
    return stated if stated in ALGORITHMS else str(record.get("algorithm", ""))


def load_model(file: ModelFile) -> Any:
    """The policy itself, on the CPU.

    Raises:
        ValueError: the file was written by another algorithm, or is damaged.
    """
    algorithm = algorithm_class(file.algorithm)
    try:
        with warnings.catch_warnings():
            # Stable-Baselines3 warns of its own saved choice of a replay buffer.
            warnings.filterwarnings("ignore", message=".*`n_steps=.*is ignored.*")
            return algorithm.load(file.path, device="cpu")
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{file.path} could not be loaded as a {file.algorithm} model; was it made by another "
            f"algorithm? ({type(error).__name__}: {error})"
        ) from error


def algorithm_class(name: str) -> Any:
    """The class behind an algorithm's short name."""
    module, _, attribute = ALGORITHMS[choose("algorithm", name, ALGORITHMS)].partition(":")
    return getattr(import_module(module), attribute)
