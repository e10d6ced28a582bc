"""The committed shields are proved again, and the picture is that of the committed certificates."""

from __future__ import annotations

import json

import pytest

from benchmarks import radii, shield

SHIELDS = sorted(
    path
    for path in shield.FOLDER.glob("*.json")
    if not path.stem.endswith(("-table", "-certificate", "-learned"))
)


@pytest.mark.parametrize("path", SHIELDS, ids=lambda path: path.stem)
def test_what_is_said_of_a_shield_holds(path) -> None:  # type: ignore[no-untyped-def]
    data = json.loads(path.read_text())
    if data["shield"] is None:
        assert data["why"]
        return
    proofs = shield.shield_of(path.stem).prove()
    assert [proof.holds for proof in proofs] == [proof["holds"] for proof in data["proofs"]]


def test_ball_circle_costs_nothing_behind_its_shield() -> None:
    rows = json.loads((shield.FOLDER / "ball-circle-table.json").read_text())["rows"]
    kept = [row for row in rows if row["policy"] == "shielded"]
    assert len(kept) >= 7
    assert all(row["largest_cost"] == 0 and row["alarms"] == 0 for row in kept)
    assert any(row["cost"] > 10 for row in rows if row["policy"] == "plain")


def test_longer_searches_find_nothing_behind_the_shield() -> None:
    rows = json.loads((shield.FOLDER / "ball-circle-learned.json").read_text())["rows"]
    assert len(rows) >= 2
    for row in (row for row in rows if row["policy"] == "shielded"):
        assert row["largest_cost"] == row["left"] == row["infeasible"] == row["alarms"] == 0
        assert row["smallest_h"] > 0
    plain, behind = (
        next(r for r in rows if (r["policy"], r["attack"]) == (policy, "learned"))
        for policy in ("plain", "shielded")
    )
    assert plain["learned_from"] == behind["learned_from"]
    assert plain["cost"] > 10  # the control: the same learner finds costs where nothing filters


def test_the_picture_has_every_policy() -> None:
    found = {line.policy: line for line in radii.lines()}
    assert found["ball-circle/safer-attacked"].certified == 0.0005
    assert all(line.given_model is None or "shielded" in name for name, line in found.items())
