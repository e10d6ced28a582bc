"""The packaged actors: boxes near what gradient ascent finds, and 10^5 samples inside."""

from __future__ import annotations

import pytest
import torch

from benchmarks.enclosure import measure
from safer_gym.bounds import crown
from safer_gym.bounds.relaxations import Relaxation


def rows(samples: int) -> list[dict]:
    return measure(
        eps=(0.002, 0.05),
        states=40,
        searched=20,
        samples=samples,
        steps=40,
        restarts=2,
        repetitions=1,
    )["rows"]


def test_packaged_actors_are_enclosed_close_to_pgd() -> None:
    for row in rows(100_000):
        assert row["outside"] == 0
        assert 1 <= row["mean_width_over_pgd"] <= 1.15
        assert 1 <= row["std_width_over_pgd"] <= 1.2
        assert row["samples"] >= 100_000


def test_wrong_lines_are_found_on_the_packaged_actors(monkeypatch: pytest.MonkeyPatch) -> None:
    true_relax = crown.relax

    def flat(kind: object, box: object) -> Relaxation:
        lines = true_relax(kind, box)
        return lines._replace(upper_offset=torch.zeros_like(lines.upper_offset))

    monkeypatch.setattr(crown, "relax", flat)
    assert any(row["outside"] for row in rows(10_000))
