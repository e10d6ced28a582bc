"""A checker that shares no code with the library says the same of every certificate."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forged_certificates import (
    another,
    at,
    is_asserted,
    leaves,
    named,
    resealed,
    true_certificates,
    with_leaf,
)

from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.loading.zoo import packaged_policies

ROOT = Path(__file__).parents[3]
FILE = ROOT / "examples" / "check_certificate.py"
COMMITTED = sorted((ROOT / "benchmarks" / "results" / "certificates").glob("*.json"))
WORDS = ("evidence", "why", "reason", "what", "replay", "refused", "source")
"""Text that the checker does not read."""
UNREAD = (
    "refusals",
    "units",
    "flags",
    "episodes.",
    "scale",
    "policy.",
    "environment.",
    "signature",
    "benign",
    "attacks[]",
    "episodes_of_note[].trace",
    "rows[].attacks[].search_",
)
"""What it leaves to the library: consistency of records that no number follows from."""


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("check_certificate", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK = loaded().check


def test_it_shares_nothing_with_the_library() -> None:
    nodes = list(ast.walk(ast.parse(FILE.read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    others = {name.split(".")[0] for name in found} - sys.stdlib_module_names
    assert others == {"numpy", "scipy"}


@pytest.mark.parametrize("name", true_certificates())
def test_it_agrees_with_verify(name: str) -> None:
    true = true_certificates()[name]
    assert verify(Certificate.from_json(true)) == ()
    assert CHECK(json.dumps(true)) == []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_it_agrees_on_the_certificates_of_packaged_policies(path: Path) -> None:
    assert verify(of_now(path)) == ()
    assert CHECK(path.read_text()) == []


def of_now(path: Path) -> Certificate:
    """A committed certificate, unless certificates have got more fields since it was made."""
    try:
        return Certificate.load(path)
    except ValueError as error:
        if "lacks the key" not in str(error):
            raise
        pytest.skip(f"{error}: make it again, python -m benchmarks.packaged_certificates")


def test_there_are_certificates_of_packaged_policies() -> None:
    found = [json.loads(path.read_text()) for path in COMMITTED]
    assert len({data["policy"]["source"] for data in found}) == len(found) > 1
    assert {data["policy"]["source"] for data in found} <= {*packaged_policies()}


@pytest.mark.slow
@pytest.mark.parametrize("name", true_certificates())
def test_it_refuses_every_changed_leaf(name: str) -> None:
    """By the hash all of them; by derivation all that a number follows from."""
    true, unnoticed = true_certificates()[name], set()
    for path in leaves(true):
        forged = with_leaf(true, (path, another(at(true, path), path)))
        assert path == ("signature",) or CHECK(json.dumps(forged)), path
        if path != ("content_hash",) and not CHECK(json.dumps(resealed(forged))):
            unnoticed.add(path)
    words = [(named(path), str(path[-1])) for path in unnoticed if not is_asserted(path)]
    left = {text for text, key in words if key not in WORDS and not text.startswith(UNREAD)}
    empty = {named(path) for path in unnoticed if not at(true, path)}
    assert left <= empty


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"a": 1, "a": 1}', "a key is there twice"),
        ('{"a": NaN}', "NaN is no number"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_certificate_does_not_agree(text: str, words: str) -> None:
    assert words in CHECK(text)[0]


def test_it_is_a_command(tmp_path: Path) -> None:
    true = true_certificates()["passes"]
    (tmp_path / "true.json").write_text(json.dumps(true))
    (tmp_path / "forged.json").write_text(json.dumps({**true, "verdict": "FAIL"}))
    command = [sys.executable, str(FILE)]
    for name, code in (("true", 0), ("forged", 1)):
        result = subprocess.run(
            [*command, str(tmp_path / f"{name}.json")], capture_output=True, text=True, check=False
        )
        assert (result.returncode, "does not agree" in result.stdout) == (code, bool(code))
