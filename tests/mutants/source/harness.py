"""Runs tests against mutants, in a copy of the tree: the tree itself is never written to.

What others wrote (torch, Gymnasium, ...) is imported once; each mutant is a forked process, which
imports the copy.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from mutants.source.mutant import ROOT, Mutant

SECONDS = 600
"""A mutant that keeps its tests busy longer counts as killed."""
_CODES = 100
"""Added to pytest's exit codes, so that a process which ended otherwise is told apart."""
PARTS = (
    "safer_gym",
    "agents",
    "wrappers",
    "conformance",
    "tests",
    "docs",
    "pyproject.toml",
    "setup.py",
)
IMPORTED = ("scipy.stats", "torch", "gymnasium", "stable_baselines3")


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of what tests need."""
    for name in IMPORTED:
        import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        skip = shutil.ignore_patterns("__pycache__", ".*_cache")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, symlinks=True, ignore=skip)
            else:
                shutil.copy(ROOT / part, copy / part)
        yield copy


def outcome(mutant: Mutant, copy: Path) -> str:
    """ "killed", "survived", or what went wrong."""
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutant.applied(text), encoding="utf-8")
    try:
        return tested(mutant.tests, copy)
    finally:
        path.write_text(text, encoding="utf-8")


def tested(tests: tuple[str, ...], copy: Path) -> str:
    """What tests say of the copy as it is now: "survived" where all of them pass."""
    process = multiprocessing.get_context("fork").Process(target=_test, args=(tests, copy))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return "killed"
    if process.exitcode in (_CODES, _CODES + 1):
        return ("survived", "killed")[process.exitcode - _CODES]
    return f"broken: {(copy / 'output').read_text(encoding='utf-8')[-500:]}"


def _test(tests: tuple[str, ...], copy: Path) -> None:
    output = os.open(copy / "output", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(copy)
    sys.dont_write_bytecode = True
    own = {str(ROOT), str(ROOT / "tests")}
    sys.path[:] = [str(copy), str(copy / "tests"), *(p for p in sys.path if p not in own)]
    for name in [n for n in sys.modules if n.split(".")[0] in ("mutants", "safer_gym")]:
        del sys.modules[name]
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    sys.stdout.flush()
    os._exit(_CODES + int(code))
