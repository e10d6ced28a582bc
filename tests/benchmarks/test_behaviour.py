"""The comparison of two records of behaviour finds every leaf that differs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarks.behaviour import differing, without_times

RECORD: dict[str, Any] = {"a": {"digest": "1f"}, "b": [0.5, {"c": None, "seconds": 3.0}], "d": []}


def test_equal_records_have_no_difference() -> None:
    assert list(differing(RECORD, copy.deepcopy(RECORD))) == []


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        (RECORD | {"a": {"digest": "1e"}}, "/a/digest"),
        (RECORD | {"a": {}}, "/a/digest"),
        (RECORD | {"b": [0.5, {"c": 0, "seconds": 3.0}]}, "/b/1/c"),
        (RECORD | {"b": [0.5]}, "/b"),
        (RECORD | {"e": 1}, "/e"),
    ],
)
def test_a_changed_leaf_is_named(changed: dict[str, Any], path: str) -> None:
    (line,) = differing(RECORD, changed)
    assert line.startswith(f"{path}: ")


def test_times_are_left_out_at_every_depth() -> None:
    assert without_times(RECORD)["b"] == [0.5, {"c": None}]
