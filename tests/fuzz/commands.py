"""The commands' options: what no option of a kind may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from fuzz.outcome import Input
from fuzz.values import TEXTS
from safer_gym.conformance.cli.main import app

MODEL = "ball-circle/safer-attacked"
MEASURE = {
    "--eps": "radii",
    "--norm": "name",
    "--episodes": "at_least_one",
    "--seed": "seed",
    "--channel": "name",
    "--units": "name",
    "--vec-normalize": "path",
    "--task": "name",
    "--attacks": "name",
    "--algorithm": "name",
    "--scale": "radii",
    "--cost": "name",
    "--max-steps": "at_least_one",
    "--env-arg": "name",
    "--learning-steps": "at_least_one",
}
OPTIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "evaluate": (
        ["evaluate", MODEL, "--episodes", "1", "--attacks", "natural"],
        {**MEASURE, "--max-cost": "number"},
    ),
    "attack": (["attack", MODEL, "--episodes", "1", "--attacks", "uniform"], MEASURE),
    "train": (
        ["train", "ball-circle", "--timesteps", "1"],
        {
            "--algorithm": "name",
            "--timesteps": "count",
            "--seed": "seed",
            "--eps": "not_negative",
            "--cost-limit": "not_negative",
            "--max-steps": "at_least_one",
            "--env-arg": "name",
            "--cost": "name",
        },
    ),
    "certify": (
        [
            "certify",
            MODEL,
            "--eps",
            "0.01",
            "--budget",
            "1s",
            "--episodes",
            "1",
            "--benign-episodes",
            "1",
        ],
        {
            "--env": "name",
            "--eps": "radii",
            "--limit": "number",
            "--norm": "name",
            "--scale": "radii",
            "--modes": "name",
            "--action-noise": "radii",
            "--observation-noise": "radii",
            "--battery": "name",
            "--budget": "budget",
            "--episodes": "at_least_one",
            "--benign-episodes": "at_least_one",
            "--max-step-cost": "positive",
            "--workers": "at_least_one",
            "--seed": "seed",
            "--channel": "name",
            "--units": "name",
            "--requirement": "name",
            "--sign": "path",
        },
    ),
    "demo": (
        ["demo", "--no-train", "--episodes", "1"],
        {"--episodes": "at_least_one", "--seed": "seed"},
    ),
    "compare": (
        [
            "compare",
            MODEL,
            MODEL,
            "--episodes",
            "1",
            "--search-episodes",
            "1",
            "--attacks",
            "uniform",
        ],
        {
            "--margin": "not_negative",
            "--metric": "name",
            "--eps": "radii",
            "--norm": "name",
            "--limit": "number",
            "--episodes": "at_least_one",
            "--search-episodes": "at_least_one",
            "--confidence": "positive",
            "--seed": "seed",
            "--channel": "name",
        },
    ),
    "prior": (
        ["prior", "/no/such/file.npz", "--out", "/no/such/folder"],
        {"--updates": "at_least_one", "--seed": "seed", "--labels": "name", "--flow": "name"},
    ),
    "selfcheck": (["selfcheck"], {"--areas": "name"}),
    "card": (["card"], {"": "path"}),
    "leaderboard": (["leaderboard"], {"": "path"}),
    "verify": (["verify"], {"": "path"}),
    "diff": (["diff", "/no/such/file"], {"": "path"}),
    "report": (["report"], {"": "path"}),
    "replay": (["replay"], {"": "path"}),
}
"""Command to its arguments and the kinds of its options."""


ALSO = {"--env": ("task",)}
"""What a message may call an option instead of its name."""


class Raw(Exception):  # noqa: N818 (an outcome)
    """The command ended with a traceback or an exit code of its own."""


def command_inputs(folder: Path) -> Iterator[Input]:
    """All bad values of all options."""
    for command, (words, options) in OPTIONS.items():
        for option, kind in options.items():
            for value in TEXTS[kind]:
                yield _input(command, words, option, value, folder)


def _input(command: str, words: list[str], option: str, value: str, folder: Path) -> Input:
    def call() -> Any:
        out = ["--out", str(folder)] if command in ("train", "demo") else []
        given = [*words, *out, *([f"{option}={value}"] if option else [value])]
        result = CliRunner().invoke(app, given)
        if result.exit_code == 3:
            raise ValueError(result.output + getattr(result, "stderr", ""))
        if result.exit_code not in (0, 1, 2) or "Traceback" in result.output:
            raise Raw(f"exit {result.exit_code}: {result.output[-200:]} {result.exception!r}")

    name = option.lstrip("-")
    stem = name.replace("-", "_")
    shown = (value[:20], repr(value)[1:20])
    words = (*ALSO.get(option, ()), name, stem, stem.rstrip("s"), *shown)
    words = words if name else ("certificate", "old", "new", *shown)
    return Input(f"$ {command}", option or "CERTIFICATE", value, call, words=words)
