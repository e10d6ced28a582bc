"""Find a policy by file, packaged name or module:function, and load a file as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.agents.registry import ALGORITHMS, find_algorithm
from safer_gym.conformance.cli.environments import EnvWords, environment_of, sidecar
from safer_gym.conformance.files import digest
from safer_gym.conformance.loading import algorithm_of, is_named, load_policy, no_such_policy
from safer_gym.conformance.loading.normaliser import normaliser_digest
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies, packaged_record
from safer_gym.wrappers.named import digest_of_module
from safer_gym.wrappers.tasks import Task


class ModelFile(NamedTuple):
    """A policy that a command is about, and what is known of it."""

    name: str
    source: str
    """What `load_policy` takes: a file, a packaged name, or "module:function"."""
    algorithm: str
    task: Task
    record: dict[str, Any]
    """How it was made; empty where nothing is known."""
    trust: bool = False
    """Whether code that the file carries may run."""
    vec_normalize: str | None = None
    """The file of its VecNormalize, "none", or None to look beside the model."""

    @property
    def digests(self) -> dict[str, str]:
        """Of the policy's file or module, and of its normaliser's file."""
        path = Path(self.source)
        if not path.is_file():
            return {"model": digest_of_module(self.source), "vec_normalize": ""}
        return {"model": digest(path), "vec_normalize": normaliser_digest(path, self.vec_normalize)}


def find_model(
    model: str,
    algorithm: str = "",
    env: EnvWords | Task | str = "",
    *,
    trust: bool = False,
    vec_normalize: str = "",
) -> ModelFile:
    """Resolve a packaged name, the path of a model file, or "module:function".

    Nothing in a file is run.

    Args:
        algorithm: what the file must hold, where it tells; "" is any.
        env: what was typed of the environment, its name, or the task itself.
        trust: let loading run code that the file carries.
        vec_normalize: the file of its VecNormalize, "none", or "" to look beside the model.

    Raises:
        FileNotFoundError: none of these; names the packaged policies.
        ValueError: the environment cannot be told and is not given, the file holds another
            algorithm, or is no model file.
    """
    source, record, known = model, {}, ""
    if model in packaged_policies():
        record, source = packaged_record(model), str(packaged_path(model))
        known = str(record["algorithm"])
    elif Path(model).is_file():
        record = sidecar(Path(model).with_suffix(".json"))
        known = _stated(Path(model), record)
    elif not is_named(model):
        raise no_such_policy(model)
    if algorithm and find_algorithm(algorithm).place != find_algorithm(known or algorithm).place:
        raise ValueError(f"{model} holds a {known} model, not {algorithm}")
    algorithm = algorithm or known
    if algorithm:
        find_algorithm(algorithm)
    if not isinstance(env, Task):
        words = EnvWords(env) if isinstance(env, str) else env
        env = environment_of(model, words, trust=trust)
    return ModelFile(model, source, algorithm, env, record, trust, vec_normalize or None)


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
    return load_policy(file.source, trust=file.trust, vec_normalize=file.vec_normalize).policy
