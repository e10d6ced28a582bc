"""Policies that come with the package, by name: ball-circle/safer-attacked."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from safer_gym.choices import choose

ZOO = files("safer_gym") / "zoo"


def packaged_policies() -> list[str]:
    """Names of the packaged policies, "task/algorithm"."""
    if not ZOO.is_dir():
        return []
    return sorted(
        f"{task.name}/{file.name.removesuffix('.zip')}"
        for task in ZOO.iterdir()
        if task.is_dir()
        for file in task.iterdir()
        if file.name.endswith(".zip")
    )


def packaged_path(name: str) -> Path:
    """The model file of a packaged policy.

    Raises:
        ValueError: no such policy; names the nearest one.
    """
    choose("policy", name, packaged_policies())
    with as_file(ZOO / f"{name}.zip") as path:
        return path


def packaged_record(name: str) -> dict[str, Any]:
    """How a packaged policy was made: command, seed, version, commit, numbers."""
    choose("policy", name, packaged_policies())
    return json.loads((ZOO / f"{name}.json").read_text())
