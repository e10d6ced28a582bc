"""The README's code can be run: it parses, and what it imports exists."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from conformance_envs import Ladder
from stable_baselines3 import SAC
from test_layout import ROOT

README = (ROOT / "README.md").read_text()
SHELL = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_readme_has_examples() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS)
def test_what_an_example_imports_exists(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_example_of_an_attack_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model of SAC, as it says, which has no critic of cost."""
    small = {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 10, "device": "cpu"}
    SAC("MlpPolicy", Ladder(), **small).save(tmp_path / "my_policy.zip")
    monkeypatch.chdir(tmp_path)
    (block,) = (block for block in BLOCKS if "evaluate(model" in block)
    exec(block, {"make_env": Ladder})


def test_every_link_of_the_readme_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#h][^)]*)\)", README)
    missing = [t for t in targets if not (ROOT / t).exists() and t != "docs/film.gif"]
    assert missing == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^make ([a-z]+)", SHELL, re.M))))
def test_every_make_command_exists(command: str) -> None:
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("line", re.findall(r"^safer-gym ([^#\n]*)", SHELL, re.M))
def test_every_option_of_the_shell_exists(line: str) -> None:
    from typer.testing import CliRunner

    from safer_gym.conformance.cli.main import app

    words = line.split()
    result = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in result.stdout
