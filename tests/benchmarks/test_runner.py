"""Each benchmark runs, at tiny sizes, and writes JSON. No test here looks at a clock."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.run import LONG, NAMES, main
from benchmarks.timing import Lap, interleave, ratio


@pytest.mark.parametrize("name", [*NAMES, *LONG])
def test_a_tiny_run_writes_finite_numbers(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.json"
    page = tmp_path / "out.md"
    main([name, "--tiny", "--json", str(target), "--markdown", str(page)])
    written = json.loads(target.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    (result,) = written["results"]
    assert result["benchmark"] == name.replace("_", " ")
    assert result["rows"]
    assert {"threads", "versions", "processor"} <= written["machine"].keys()
    assert all(math.isfinite(value) for value in _numbers(result))
    assert result["benchmark"] in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").count("\n|") >= len(result["rows"]) + 2


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(ValueError, match="attacks"):
        main(["atacks", "--tiny"])


def test_variants_run_in_turns_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []

    def runner(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def run() -> Lap:
            calls.append(name)
            return Lap(1000.0 if len(calls) <= 2 else seconds, seconds)

        return run

    timings = interleave({"a": runner("a", 3.0), "b": runner("b", 1.5)}, 3, warm_up=1)
    assert calls == ["a", "b"] * 4
    assert ratio(timings, "a", "b") == {"wall": 2.0, "cpu": 2.0}
    with pytest.raises(ValueError, match="repetitions"):
        interleave({}, 0)


def _numbers(tree: object) -> list[float]:
    if isinstance(tree, dict):
        return [number for value in tree.values() for number in _numbers(value)]
    if isinstance(tree, list):
        return [number for value in tree for number in _numbers(value)]
    return [float(tree)] if isinstance(tree, (int, float)) else []
