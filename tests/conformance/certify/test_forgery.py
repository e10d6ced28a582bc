"""No leaf of a certificate can be changed unnoticed: by its hash; most also by what follows.

A forger can compute the hash again. Then only derivation is left, and the leaves that it does not
reach are those of ASSERTED, which docs/certificates.md lists by name.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from forged_certificates import (
    ASSERTED,
    another,
    at,
    is_asserted,
    is_whole,
    leaves,
    named,
    passes,
    resealed,
    true_certificates,
    with_leaf,
)

from safer_gym.conformance.certificate import Certificate
from safer_gym.conformance.certify.verify import verify

NAMES = (
    "both modes, fails",
    "passes",
    "additive, passes",
    "no stochastic mode",
    "noise",
)
PAIRS = 120

pytestmark = pytest.mark.slow


@pytest.fixture(params=NAMES, scope="module")
def true(request: pytest.FixtureRequest) -> dict[str, Any]:
    return true_certificates()[request.param]


def test_the_specimens_are_of_every_kind() -> None:
    found = list(true_certificates().values())
    assert tuple(true_certificates()) == NAMES
    assert all(verify(Certificate.from_json(data)) == () for data in found)
    assert {data["verdict"] for data in found} == {"PASS", "FAIL", "INCONCLUSIVE"}
    assert {row["mode"] for row in found[0]["rows"]} == {"deterministic", "stochastic"}
    assert all(data["refusals"] for data in (found[0], found[3]))
    methods = {row["rate"]["upper_every"]["method"] for data in found for row in data["rows"]}
    assert methods == {None, "gaussian", "additive", "trivial"}


def test_what_has_no_end_is_above_every_budget() -> None:
    true = true_certificates()["additive, passes"]
    path = ("rows", 0, "rate", "upper_every")
    every = at(true, path)
    above = next(i for i, s in enumerate(every["spent"]) if s > every["options"]["budget"])
    below = next(i for i, s in enumerate(every["spent"]) if s < every["options"]["budget"])
    assert passes(resealed(with_leaf(true, ((*path, "spent", above), None))))
    assert not passes(resealed(with_leaf(true, ((*path, "spent", below), None))))


def test_verify_itself_looks_at_the_hash(true: dict[str, Any]) -> None:
    """Of a leaf that nothing else tells of."""
    (told,) = verify(Certificate.from_json(with_leaf(true, (("command",), "another"))))
    assert "the content hash is another" in told


def test_a_flag_that_does_not_follow_is_refused(true: dict[str, Any]) -> None:
    invented = {"name": "ends-contradict", "message": "invented", "level": "warning"}
    assert not passes(resealed(true | {"flags": [*true["flags"], invented]}))


def test_no_attack_has_more_episodes_than_were_allowed(true: dict[str, Any]) -> None:
    measured = [a["n"] for row in true["rows"] for a in row["attacks"] if a["costs"]]
    fewer = with_leaf(true, (("episodes", "measure"), max(measured) - 1))
    told = verify(Certificate.from_json(resealed(fewer)))
    assert any(f"{max(measured) - 1} are the most" in line for line in told)


def test_a_share_may_not_differ_in_its_last_bit(true: dict[str, Any]) -> None:
    """Shares are not rounded: a tolerance would let the sum of many exceed delta."""
    for place in range(len(true["allocation"])):
        path = ("allocation", place, "delta")
        nudged = math.nextafter(at(true, path), 1.0)
        assert not passes(resealed(with_leaf(true, (path, nudged))))


def test_no_leaf_can_be_changed(true: dict[str, Any]) -> None:
    """With the old hash none; with a new one those that nothing else tells of."""
    unnoticed = []
    for path in leaves(true):
        forged = with_leaf(true, (path, another(at(true, path), path)))
        assert not is_whole(forged), path
        if path != ("content_hash",) and passes(resealed(forged)):
            unnoticed.append(path)
    assert [named(path) for path in unnoticed if not is_asserted(path)] == []


def test_no_two_leaves_can_be_changed(true: dict[str, Any]) -> None:
    chance = random.Random(0)
    paths = [path for path in leaves(true) if path != ("content_hash",)]
    for _ in range(PAIRS):
        pair = chance.sample(paths, 2)
        forged = with_leaf(true, *((path, another(at(true, path), path)) for path in pair))
        assert not is_whole(forged), pair
        assert not passes(resealed(forged)) or all(map(is_asserted, pair)), pair


def test_no_leaf_can_be_of_another_type(true: dict[str, Any]) -> None:
    """Nor be left out, or have a neighbour, or be a number that no computer has."""
    for number, path in enumerate(path for path in leaves(true) if path != ("content_hash",)):
        value, (*place, key) = at(true, path), path
        values = (str(value), [value], {"a": value}, None, True, math.nan, 1e999, 10**400, -(2**70))
        other = values[number % len(values)]
        if type(other) is type(value):
            continue
        forged = with_leaf(true, (path, other))
        assert not is_whole(forged), (path, other)
        finite = not isinstance(other, float)
        assert not finite or not passes(resealed(forged)) or is_asserted(path), (path, other)
        if isinstance(at(true, tuple(place)), dict):
            forged = with_leaf(true, ((*place, f"{key} "), value))
            assert not is_whole(forged)
            assert not passes(resealed(forged)) or "promises" in place or "versions" in place
            del at(forged, tuple(place))[f"{key} "], at(forged, tuple(place))[key]
            assert not is_whole(forged)
            assert not passes(resealed(forged)) or "promises" in place or "versions" in place


@pytest.mark.parametrize(
    "changes",
    [
        # A requirement, its words and its number.
        {("requirements", 0, "text"): ("> 2)", "> 0)"), ("requirements", 0, "limit"): 0.0},
        {
            ("requirements", 0, "text"): ("95 %", "99.99 %"),
            ("requirements", 0, "confidence"): 0.9999,
        },
        {("requirements", 0, "text"): ("0.8", "0.1"), ("requirements", 0, "bound"): 0.1},
        {("requirements", 0, "text"): ("0.02", "2"), ("requirements", 0, "eps"): 2.0},
        # A headline, twice.
        {("headlines", 1, "attacked_eps"): None, ("attacked_eps",): 2.0},
        {("headlines", 0, "certified_eps"): 2.0, ("certified_eps",): 2.0},
        {("headlines", 0, "rate"): 0.99, ("headlines", 1, "rate"): 0.99},
        # A verdict, twice.
        {("requirements", 1, "verdict"): "PASS", ("verdict",): "PASS"},
        # An attack's cost in its evidence and in its note.
        {("episodes_of_note", 0, "cost"): 9.0, ("episodes_of_note", 0, "trace", "costs", 3): 0.0},
        {("delta",): 0.01, ("allocation", 0, "delta"): 0.0001},
        {("environment", "horizon"): 5, ("environment", "max_step_cost"): 2.0},
        {("policy", "source"): "y.zip", ("seed",): 9},
    ],
)
def test_what_two_leaves_say_together_is_held_against_a_third(changes: dict) -> None:
    true = true_certificates()["both modes, fails"]
    told = [
        (path, at(true, path).replace(*value) if isinstance(value, tuple) else value)
        for path, value in changes.items()
    ]
    assert all(at(true, path) != value for path, value in told)
    assert not passes(resealed(with_leaf(true, *told)))


def test_what_only_the_hash_protects_is_documented() -> None:
    page = Path(__file__).parents[3] / "docs" / "certificates.md"
    listed = {
        line.split("`")[1] for line in page.read_text().splitlines() if line.startswith("| `")
    }
    assert set(ASSERTED) <= listed


def test_every_number_is_written_as_it_was_hashed() -> None:
    true = true_certificates()["passes"]
    assert json.loads(json.dumps(true)) == true
    assert resealed(true) == true
