"""Policies and skill priors that come with the package, by name: ball-circle/safer-attacked."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from safer_gym.agents.skills import SkillPrior
from safer_gym.choices import choose

ZOO = files("safer_gym") / "zoo"


def packaged_policies() -> list[str]:
    """Names of the packaged policies, "task/algorithm"."""
    return _names(".zip")


def packaged_priors() -> list[str]:
    """Names of the packaged skill priors, "world/method"."""
    return _names(".pt")


def packaged_path(name: str) -> Path:
    """The model file of a packaged policy.

    Raises:
        ValueError: no such policy; names the nearest one.
    """
    choose("policy", name, packaged_policies())
    with as_file(ZOO / f"{name}.zip") as path:
        return path


def load_prior(source: str | Path) -> SkillPrior:
    """A skill prior: a packaged one by its name, or a file that `safer-gym prior` wrote.

    Raises:
        FileNotFoundError: neither a packaged prior nor a file; names what is packaged.
        ValueError: the file holds no skill prior, or a broken one.
    """
    if str(source) in packaged_priors():
        with as_file(ZOO / f"{source}.pt") as path:
            return SkillPrior.load(path)
    if not Path(source).exists():
        known = ", ".join(packaged_priors()) or "none"
        raise FileNotFoundError(
            f"no file {str(source)!r} and no packaged prior of that name; packaged are: {known}"
        )
    return SkillPrior.load(source)


def packaged_record(name: str) -> dict[str, Any]:
    """How a packaged policy was made: command, seed, version, commit, numbers."""
    choose("policy", name, packaged_policies())
    return json.loads((ZOO / f"{name}.json").read_text())


def _names(suffix: str) -> list[str]:
    if not ZOO.is_dir():
        return []
    return sorted(
        f"{folder.name}/{file.name.removesuffix(suffix)}"
        for folder in ZOO.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(suffix)
    )
