"""What is read off a learning curve, and how it is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import learning
from benchmarks.picture import draw
from benchmarks.robust_time import summary


def run(*points: tuple[float, float, float], case: str = "a") -> dict[str, Any]:
    """A run by reward, worst cost and score of its checkpoints, 10 s and 100 steps apart."""
    return {
        "case": case,
        "seed": 0,
        "points": [
            {
                "timesteps": 100 * (i + 1),
                "cpu_s": 10.0 * (i + 1),
                "wall_s": 20.0 * (i + 1),
                "reward": reward,
                "worst_cost": cost,
                "costs": {"natural": 0.0, "mc": cost, "mr": 0.0},
                "choosing_score": score,
            }
            for i, (reward, cost, score) in enumerate(points)
        ],
    }


def test_robust_is_enough_reward_and_little_cost_at_once() -> None:
    row = summary(run((600, 6, 0), (540, 0, 0), (560, 5, 1), (555, 1, 2)))
    assert row["first robust after, CPU s"] == 30.0
    assert row["reward"] == 555
    assert summary(run((600, 6, 0), (540, 0, 1)))["first robust after, CPU s"] == "never"


def test_the_choice_is_among_late_policies_by_their_score_and_the_later_wins_a_tie() -> None:
    early = run((600, 0, 9), (500, 0, 1), (510, 0, 3), (520, 0, 3), (530, 0, 2))
    assert summary(early)["reward"] == 520


def test_the_picture_has_a_mark_for_every_policy_in_either_chart() -> None:
    runs = [run((500, 9, 0), (550, 1, 1)), run((400, 2, 0), (560, 0, 1), case="b <slow>")]
    tree = ElementTree.fromstring(draw(runs, (550.0, 5.0)))
    marks = [part for part in tree.iter() if part.tag == "use"]
    names = 2  # of the legend
    assert len(marks) == 2 * sum(len(r["points"]) for r in runs) + names
    labels = [part.text or "" for part in tree.iter("text")]
    assert any("b <slow>" in label for label in labels)


def test_a_finished_run_is_read_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = learning.TINY._replace(name="any name")
    (tmp_path / "any-name-7.json").write_text(json.dumps({"case": "kept"}))
    monkeypatch.setattr(learning, "_learn", lambda case, seed: {"case": "made", "seed": seed})
    assert learning.learn(case, 7, kept=tmp_path) == {"case": "kept"}
    for _ in range(2):
        assert learning.learn(case, 8, kept=tmp_path) == {"case": "made", "seed": 8}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_training_in_the_results_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = learning.TINY
    run = {"seed": 3, "settings": {**json.loads(json.dumps(case._asdict())), "episodes": 99}}
    del run["settings"]["overlap"]  # a file from before there was one
    file = tmp_path / "table.json"
    file.write_text(json.dumps({"results": [{"runs": [run]}]}))
    monkeypatch.setattr(learning, "_learn", lambda case, seed: {"case": "made"})
    made = learning.recorded(file)
    assert learning.learn(case, 3, made, kept=None) == run
    other = case._replace(options={**case.options, "eps": 0.01})
    asked = [(case, 4), (other, 3), (case._replace(overlap=True), 3)]
    assert [learning.learn(*pair, made, kept=None) for pair in asked] == [{"case": "made"}] * 3
    assert learning.recorded(tmp_path / "none.json") == []
