"""Results as lines of text; the JSON holds more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Result = dict[str, Any]


def lines(result: Result) -> list[str]:
    """A title and an aligned table of one benchmark's result."""
    head, rows = _LAYOUTS.get(result["benchmark"], _as_it_is)(result)
    return [_title(result), *_aligned([head, *rows]), ""]


def markdown(result: Result) -> str:
    """The same as a heading and a table of GitHub's kind."""
    head, rows = _LAYOUTS.get(result["benchmark"], _as_it_is)(result)
    table = [head, ["---"] * len(head), *rows]
    cells = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    setting = ", ".join(f"{key} {value}" for key, value in result["setting"].items())
    return "\n".join([f"## {result['benchmark'].capitalize()}", "", f"{setting}.", "", *cells, ""])


def _title(result: Result) -> str:
    setting = ", ".join(f"{key} {value}" for key, value in result["setting"].items())
    peak = result.get("sgemm_peak_gflops")
    tail = "" if peak is None else f"; sgemm peak {peak:.0f} GFLOP/s"
    return f"{result['benchmark']} ({setting}{tail})"


def _as_it_is(result: Result) -> tuple[list[str], list[list[str]]]:
    """For results whose rows are what is to be read."""
    head = list(result["rows"][0])
    return head, [[_cell(value) for value in row.values()] for row in result["rows"]]


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) else f"{value:.3g}"


def _attacks(result: Result) -> tuple[list[str], list[list[str]]]:
    head = ["batch", "latency ms", "CPU ms", "states/s", "states/CPU s", "products", "of peak"]
    rows = [
        [
            str(row["batch"]),
            f"{row['latency_ms']:.2f}",
            f"{row['latency_cpu_ms']:.2f}",
            f"{row['states_per_s']:.0f}",
            f"{row['states_per_cpu_s']:.0f}",
            f"{row['share_of_products']:.0%}",
            f"{row['share_of_peak']:.0%}",
        ]
        for row in result["rows"]
    ]
    return head, rows


def _enclosure(result: Result) -> tuple[list[str], list[list[str]]]:
    head = ["policy", "eps", "states/s", "states/CPU s", "mean width", "over PGD", "std width"]
    head += ["over PGD", "rms shift", "samples", "outside"]
    rows = [
        [
            row["policy"],
            f"{row['eps']:g}",
            f"{row['states_per_s']:.0f}",
            f"{row['states_per_cpu_s']:.0f}",
            f"{row['mean_width']:.5f}",
            f"{row['mean_width_over_pgd']:.3f}",
            f"{row['std_width']:.5f}",
            f"{row['std_width_over_pgd']:.3f}",
            f"{row['mean_shift_rms']:.4f}",
            str(row["samples"]),
            str(row["outside"]),
        ]
        for row in result["rows"]
    ]
    return head, rows


def _evaluation(result: Result) -> tuple[list[str], list[list[str]]]:
    head = [
        "task",
        "envs",
        "natural steps/s",
        "attacked",
        "ratio",
        "natural steps/CPU s",
        "attacked",
    ]
    head += ["ratio", "stepping"]
    rows = []
    for row in result["rows"]:
        cells = [row["task"], str(row["n_envs"])]
        for clock, unit in (("wall", "env_steps_per_s"), ("cpu", "env_steps_per_cpu_s")):
            speeds = row[unit]
            cells += [f"{speeds['natural']:.0f}", f"{speeds['attacked']:.0f}"]
            cells.append(f"{row['attacked_speed_of_natural'][clock]:.2f}")
        rows.append([*cells, f"{row['stepping']:.2f}"])
    return head, rows


def _updates(result: Result) -> tuple[list[str], list[list[str]]]:
    head = ["algorithm", "variant", "ms", "CPU ms", "updates/CPU s"]
    rows = []
    for row in result["rows"]:
        for name, timing in row["timings"].items():
            cpu = timing["cpu_s"]
            cells = [row["algorithm"], name, f"{1e3 * timing['wall_s']:.1f}", f"{1e3 * cpu:.1f}"]
            rows.append([*cells, "" if name.startswith("estep") else f"{1 / cpu:.1f}"])
        for name, both in row["ratios"].items():
            rows.append([row["algorithm"], name, f"{both['wall']:.2f}x", f"{both['cpu']:.2f}x", ""])
        for name, share in row["share_of_peak"].items():
            rows.append([row["algorithm"], f"{name}, share of peak", "", f"{share:.0%}", ""])
    return head, rows


def _gates(result: Result) -> tuple[list[str], list[list[str]]]:
    head = ["rule", "policy", "lower missed", "upper missed", "interval missed", "false verdict"]
    head += ["PASS", "FAIL", "most", "median episodes", "90 %", "fixed size, told"]
    shares = ("lower_ever_missed", "upper_ever_missed", "interval_missed_at_verdict")
    shares += ("false_verdicts", "passed", "failed")
    rows = []
    for row in result["rows"]:
        cells = [row["rule"], row["case"], *(_share(row[share]) for share in shares)]
        cells += [f"{row[n]:.0f}" for n in ("most_episodes", "median_episodes", "p90_episodes")]
        told = row["fixed_size_told"]
        rows.append([*cells, "-" if told is None else str(told)])
    return head, rows


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _certificates(result: Result) -> tuple[list[str], list[list[str]]]:
    head = [
        "policy",
        "noise",
        "eps",
        "at least",
        "by",
        "at most, battery",
        "at most, any adversary",
    ]
    head += ["M", "benign episodes", "attack episodes"]
    rows = [
        [
            row["policy"],
            _noise(row),
            f"{row['eps']:g}",
            f"{row['at_least']:.4f}",
            row["by"] or "-",
            _number(row["at_most_battery"]),
            "vacuous" if row["vacuous"] else _number(row["at_most_any"]),
            _number(row["M"], 2),
            str(row["benign_episodes"]),
            str(row["attack_episodes"]),
        ]
        for row in result["rows"]
    ]
    for line in result["headlines"]:
        eps = [_radius(line[f"{name}_eps"]) for name in ("attacked", "withstood", "certified")]
        at = f"reward {line['reward']:.0f}"
        time = f"{line['wall_s']:.0f} s, {line['cpu_s']:.0f} s of CPU"
        cells = [f"attacked eps {eps[0]}", "", f"withstood {eps[1]}", f"certified {eps[2]}"]
        rows.append([line["policy"], _noise(line), at, *cells, "", time, ""])
    return head, rows


def _action_noise(result: Result) -> tuple[list[str], list[list[str]]]:
    head = ["policy", "action noise", "reward", "cost", "P(cost > limit)", "certified eps"]
    head += ["attacked eps", "M at the least eps", "benign episodes"]
    rows = [
        [
            row["policy"],
            _noise(row),
            f"{row['reward']:.0f}",
            f"{row['cost']:.2f}",
            f"{row['violations']:.4f}",
            _radius(row["certified_eps"]),
            _radius(row["attacked_eps"]),
            _number(next(iter(row["M"].values())), 2),
            str(row["benign_episodes"]),
        ]
        for row in result["rows"]
    ]
    return head, rows


def _noise(row: Result) -> str:
    return "its own" if row["action_noise"] is None else f"{row['action_noise']:g}"


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _radius(eps: float | None) -> str:
    return "none" if eps is None else f"{eps:g}"


_LAYOUTS: dict[str, Callable[[Result], tuple[list[str], list[list[str]]]]] = {
    "action noise": _action_noise,
    "attacks": _attacks,
    "certificates": _certificates,
    "enclosure": _enclosure,
    "evaluation": _evaluation,
    "gates": _gates,
    "updates": _updates,
}


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
