"""Draw the runs of `robust_time`: reward and worst cost against the CPU time of the training.

    python -m benchmarks.picture results/benchmarks/robust_time.json

The picture is written beside the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.learning import Run
from experiments.harness.folder import alone
from safer_gym.conformance.report.charts import series
from safer_gym.conformance.report.svg import MARKS, Chart, Margins, side_by_side, span_of

SIZE = (400.0, 290.0)
MARGINS = Margins(46, 14, 30, 40)


def draw(runs: Sequence[Run], goals: tuple[float, float]) -> str:
    """Two charts as one SVG: a line for each run, marked by its setting.

    Args:
        runs: as `learning.learn` returns them.
        goals: the least reward and the largest cost of a robust policy, as dashed lines.
    """
    reward = _chart("Natural reward", runs, lambda point: point["reward"], goals[0], 300.0)
    cost = _chart("Worst mean cost", runs, lambda point: point["worst_cost"], goals[1], 0.0)
    keys = [f"{MARKS[i % len(MARKS)]} {name}" for i, name in enumerate(_settings(runs))]
    for row, key in enumerate(reversed(keys)):
        reward.text((0.0, reward.y.low), key, shift=(10, -10 - 15 * row))
    return side_by_side(
        [reward.render(), cost.render()], SIZE, 2, "Quality of the policy against training time"
    )


def _chart(
    title: str, runs: Sequence[Run], of: Callable[[Run], float], goal: float, low: float
) -> Chart:
    times = [[point["cpu_s"] for point in run["points"]] for run in runs]
    values = [[of(point) for point in run["points"]] for run in runs]
    x, y = span_of(*times, low=0.0), span_of([goal], *values, low=low)
    chart = Chart(title, x, y, SIZE, MARGINS)
    chart.axes(title, "CPU seconds of training")
    chart.line([(x.low, goal), (x.high, goal)], "limit")
    names = _settings(runs)
    for run, across, up in zip(runs, times, values, strict=True):
        kind = names.index(run["case"])
        points = list(zip(across, up, strict=True))
        chart.line(points, series(kind))
        for point in points:
            chart.marker(point, series(kind), kind)
    return chart


def _settings(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run["case"] for run in runs))


def main() -> None:
    path = Path(sys.argv[1])
    (result,) = json.loads(path.read_text(encoding="utf-8"))["results"]
    goals = (result["setting"]["reward"], result["setting"]["cost"])
    path.with_suffix(".svg").write_text(alone(draw(result["runs"], goals)), encoding="utf-8")


if __name__ == "__main__":
    main()
