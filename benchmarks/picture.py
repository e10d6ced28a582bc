"""Draw the runs of `robust_time`: reward and worst cost against the CPU time of the training.

    python -m benchmarks.picture benchmarks/results/robust_time.json

The picture is written beside the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.learning import Run
from safer_gym.conformance.figures.canvas import Frame, grid
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.figures.theme import MARKERS, light, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME = Frame(400.0, 290.0)


def draw(runs: Sequence[Run], goals: tuple[float, float]) -> str:
    """Two charts as one SVG: a line for each run, marked by its setting.

    Args:
        runs: as `learning.learn` returns them.
        goals: the least reward and the largest cost of a robust policy, as dashed lines.
    """
    reward = partial(_paint, runs, "reward", "Natural reward", goals[0], 300.0)
    worst = partial(_paint, runs, "worst_cost", "Worst mean cost", goals[1], 0.0)

    def with_names(ax: Axes) -> None:
        reward(ax)
        ax.legend(loc="lower left", fontsize="small")

    return grid([with_names, worst], "Quality of the policy against training time", 2, FRAME)


def _paint(
    runs: Sequence[Run],
    quantity: str,
    title: str,
    goal: float,
    low: float,
    ax: Axes,
) -> None:
    settings = list(dict.fromkeys(run["case"] for run in runs))
    for run in runs:
        kind = settings.index(run["case"])
        first = next(r for r in runs if r["case"] == run["case"]) is run
        ax.plot(
            [point["cpu_s"] for point in run["points"]],
            [point[quantity] for point in run["points"]],
            color=light(series(kind)),
            marker=MARKERS[kind % len(MARKERS)],
            label=run["case"] if first else None,
        )
    ax.axhline(goal, color=light("alarm"), linewidth=1.3, linestyle="--")
    ax.set(title=title, xlabel="CPU seconds of training", xlim=(0.0, None), ylim=(low, None))


def main() -> None:
    path = Path(sys.argv[1])
    (result,) = json.loads(path.read_text(encoding="utf-8"))["results"]
    goals = (result["setting"]["reward"], result["setting"]["cost"])
    path.with_suffix(".svg").write_text(standalone(draw(result["runs"], goals)), encoding="utf-8")


if __name__ == "__main__":
    main()
