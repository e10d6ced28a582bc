"""Find a policy by file or by packaged name, and load it as `certify` does: as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.agents.registry import ALGORITHMS, find_algorithm
from safer_gym.conformance.loading import algorithm_of, load_policy
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies, packaged_record
from safer_gym.conformance.untrusted import read_json


class ModelFile(NamedTuple):
    """A saved policy and what is known of it."""

    name: str
    path: Path
    algorithm: str
    task: str
    record: dict[str, Any]
    """How it was made; empty where nothing is known."""
    trust: bool = False
    """Whether code that the file carries may run."""
    vec_normalize: str | None = None
    """The file of its VecNormalize, "none", or None to look beside the model."""


def find_model(
    model: str,
    algorithm: str = "",
    task: str = "",
    *,
    trust: bool = False,
    vec_normalize: str = "",
) -> ModelFile:
    """Resolve a packaged name or the path of a model file, without running anything in it.

    Args:
        algorithm: what the file must hold, where it tells; "" is any.
        trust: let loading run code that the file carries.
        vec_normalize: the file of its VecNormalize, "none", or "" to look beside the model.

    Raises:
        FileNotFoundError: neither; names the packaged policies.
        ValueError: the task cannot be told and is not given, the file holds another algorithm,
            or is no model file.
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
        record = sidecar(path.with_suffix(".json"))
        known_task, known = str(record.get("task", "")), _stated(path, record)
    if algorithm and find_algorithm(algorithm).place != find_algorithm(known or algorithm).place:
        raise ValueError(f"{model} holds a {known} model, not {algorithm}")
    algorithm = algorithm or known
    if algorithm:
        find_algorithm(algorithm)
    task = task or known_task
    if not task:
        raise ValueError(f"{model} does not say its task; pass --task")
    return ModelFile(model, path, algorithm, task, record, trust, vec_normalize or None)


def sidecar(path: Path) -> dict[str, Any]:
    record = read_json(path) if path.exists() else {}
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold a JSON object that says how the model was made")
    return record


def _stated(path: Path, record: dict[str, Any]) -> str:
    """The algorithm's short name by the file or by its record, or "".

    One class may have several names, by its options; then the record tells, or the first is taken.
    """
    stated, recorded = algorithm_of(path) or "", str(record.get("algorithm", ""))
    named = [name for name, known in ALGORITHMS.items() if known.place == stated]
    return recorded if not named or recorded in named else named[0]


def load_model(file: ModelFile) -> Any:
    """The policy itself, on the CPU.

    Raises:
        UntrustedFile: (a ValueError) it needs code that the file carries, and is not trusted.
        ValueError: the file is damaged.
    """
    return load_policy(file.path, trust=file.trust, vec_normalize=file.vec_normalize).policy
