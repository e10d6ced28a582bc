"""Which environment a command is about: what was typed, or what the model is known to belong to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.agents.training.plan import ENVIRONMENT
from safer_gym.conformance.cli.named_before import was_named
from safer_gym.conformance.loading.zoo import packaged_policies, packaged_record
from safer_gym.conformance.untrusted import read_json
from safer_gym.wrappers.named import is_named
from safer_gym.wrappers.tasks import TASKS, Task, find_task


class EnvWords(NamedTuple):
    """The options --env, --cost, --max-steps and --env-arg."""

    env: str = ""
    cost: str = ""
    max_steps: int | None = None
    env_args: tuple[str, ...] = ()

    def task(self, known: str = "", changes: Mapping[str, Any] | None = None) -> Task:
        """The environment that was typed, or a known one; what was typed beside it counts first."""
        typed: dict[str, Any] = {"cost": self.cost, "max_steps": self.max_steps}
        typed["env_args"] = parse_env_args(self.env_args)
        told = {key: value for key, value in typed.items() if value}
        return find_task(self.env or known, **{**(changes or {}), **told})


def environment_of(model: str, words: EnvWords, *, trust: bool = False) -> Task:
    """The environment that was typed, or that of a packaged policy or of the record beside a model.

    Raises:
        ValueError: none of these, or a record that names code which this user never named.
    """
    if words.env:
        return words.task()
    if model in packaged_policies():
        return words.task(model.split("/")[0], packaged_record(model).get(ENVIRONMENT))
    record = sidecar(Path(model).with_suffix(".json")) if Path(model).is_file() else {}
    name, changes = str(record.get("task", "")), _changes(record, model)
    if not name:
        raise ValueError(f"{model} does not say its environment; pass --env")
    if not trust and _names_code(name, changes) and not was_named(name, changes):
        raise ValueError(
            f"the record beside {model} names code as its environment, and no training of yours "
            "from this folder has named it: if you know the code, say "
            f"--env {shlex.join(Task(name, name, **changes).words)}, or --trust"
        )
    return words.task(name, changes)


def _changes(record: Mapping[str, Any], model: str) -> dict[str, Any]:
    changes = record.get(ENVIRONMENT, {})
    kinds = {"cost": str, "max_steps": int, "env_args": dict}
    if not isinstance(changes, dict) or not all(
        key in kinds and type(value) is kinds[key] for key, value in changes.items()
    ):
        raise ValueError(
            f"the record beside {model} must hold as {ENVIRONMENT!r} an object with some of "
            f"{', '.join(kinds)}, got {changes!r}"
        )
    return changes


def _names_code(name: str, changes: Mapping[str, Any]) -> bool:
    """Whether more than registered names, a key of `info` and a number stand in a record."""
    known = ":" not in name or name in {task.env_id for task in TASKS.values()}
    return not known or is_named(str(changes.get("cost", ""))) or bool(changes.get("env_args"))


def sidecar(path: Path) -> dict[str, Any]:
    """How a model was made, by the file beside it; empty without one."""
    record = read_json(path) if path.exists() else {}
    if not isinstance(record, dict):
        raise ValueError(f"{path} must hold a JSON object that says how the model was made")
    return record


def parse_env_args(texts: Sequence[str]) -> dict[str, Any]:
    """Keyword arguments from key=value; a value that is no JSON is a text.

    >>> parse_env_args(["size=3", "name=hall"])
    {'size': 3, 'name': 'hall'}

    Raises:
        ValueError: not of that form.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise ValueError(f"--env-arg must be key=value, got {text!r}")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found
