"""Without an extra each command that needs it says in one line which one, and ends with 3."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_layout import ROOT

from safer_gym.conformance.cli.extras import DEVELOPERS, MODULES, advice, declared

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BROUGHT = {"report"}
"""Extras whose packages Stable-Baselines3 brings in any case."""
SCRIPT = """
import json, shlex, sys

blocked, lines = json.loads(sys.argv[1])
sys.path.insert(0, "")

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from typer.testing import CliRunner
from safer_gym.conformance.cli.main import app

said = []
for line in lines:
    done = CliRunner().invoke(app, shlex.split(line))
    said.append([done.exit_code, done.stderr])
print(json.dumps(said))
"""


def extras() -> dict[str, list[str]]:
    """The extras of pyproject.toml that bring a feature, each with its requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = project["optional-dependencies"]
    return {extra: lines for extra, lines in found.items() if extra not in DEVELOPERS}


def modules(package: str) -> tuple[str, ...]:
    return MODULES.get(package, (package.replace("-", "_"),))


def optional() -> list[tuple[Requirement, str]]:
    """What only an extra brings, and which one."""
    always = {requirement.name for requirement, extra in declared() if not extra}
    return [(r, extra) for r, extra in declared() if r.name not in always]


def try_wheel() -> Any:
    """The script that tries a wheel without extras."""
    spec = importlib.util.spec_from_file_location("try_wheel", ROOT / ".ci" / "try_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_command_is_tried_without_every_extra_that_is_declared() -> None:
    tried = {attempt.words for attempt in try_wheel().MISSES}
    assert tried == {f"safer-gym[{extra}]" for extra in extras().keys() - BROUGHT}


@pytest.mark.slow
def test_each_says_what_is_missing_in_one_line(tmp_path: Path) -> None:
    script = try_wheel()
    folder = script.prepared(tmp_path)
    packages = {Requirement(line).name for e in extras().keys() - BROUGHT for line in extras()[e]}
    blocked = [name for package in packages - {"gymnasium"} for name in modules(package)]
    asked = json.dumps([blocked, [attempt.line for attempt in script.MISSES]])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, asked], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for attempt, (code, said) in zip(
        script.MISSES, json.loads(done.stdout.splitlines()[-1]), strict=True
    ):
        errors = [line for line in said.splitlines() if line.startswith("Error")]
        assert (code, len(errors)) == (3, 1), (attempt.line, said)
        assert attempt.words in errors[0], (attempt.line, said)
        assert "Traceback" not in said


def test_the_modules_are_those_of_their_packages() -> None:
    homes = packages_distributions()
    for requirement, _ in optional():
        for module in modules(requirement.name):
            names = {canonicalize_name(home) for home in homes.get(module, ())}
            assert not names or canonicalize_name(requirement.name) in names, module


def test_advice_names_the_extra_of_every_package() -> None:
    for requirement, extra in optional():
        for module in modules(requirement.name):
            error = ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.part")
            assert advice(error) == f": pip install 'safer-gym[{extra}]'"
            error.name = None
            assert advice(error) == f": pip install 'safer-gym[{extra}]'"
    for name in ("numpy", "nothing_of_the_kind", None):
        assert advice(ModuleNotFoundError("No module", name=name)) == ""
    assert advice(ModuleNotFoundError("pip install 'safer-gym[x]'", name="onnx")) == ""
    assert advice(ValueError("no")) == ""
