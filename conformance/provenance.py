"""Where a result comes from: versions, commit, command, processor."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import safer_gym

PACKAGES = ("torch", "numpy", "gymnasium", "stable-baselines3", "pybullet", "bullet-safety-gym")


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of what the numbers depend on."""
    found = {"safer-gym": safer_gym.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The checkout's commit, with a mark for local changes; "" outside a checkout."""
    root = Path(safer_gym.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "HEAD")
        return f"{head} with local changes" if _git(root, "status", "--porcelain") else head
    except (OSError, subprocess.CalledProcessError):
        return ""


def instructions() -> str:
    """The processor's vector instructions that torch uses: "AVX2", "AVX512".

    With others, sums end in other last bits, which a simulation of contacts magnifies.
    """
    return torch.backends.cpu.get_cpu_capability()


def command() -> str:
    """The running command line, without the path to the interpreter."""
    program = Path(sys.argv[0])
    is_package = program.name == "__main__.py"
    words = ["python", "-m", program.parent.name] if is_package else [program.name]
    return shlex.join([*words, *sys.argv[1:]])


def record() -> dict[str, object]:
    """All of the above, and the time, for a file beside the result."""
    return {
        "command": command(),
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions(),
        "instructions": instructions(),
        "commit": commit(),
    }


def _git(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()
