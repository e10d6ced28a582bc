"""What the DRAC paper claims, tried on every world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from experiments.drac.learned_set import CLOSED_FORM
from experiments.drac.methods import BASELINES, SHIELDED
from experiments.drac.numbers import ATTACKS, mean_of, numbers, numbers_of, runs_of
from experiments.harness.finding import Finding, tried
from experiments.harness.records import Record, select
from experiments.harness.resampling import firmly
from safer_gym.conformance.formatting import percent

OWN_ATTACKS = ("safety", "performance")
LEARNED_IOU = 0.95
FAR_FROM_ONE = ("DRAC(g_h=0.95)", "DRAC(g_h=0.99)")
FALSELY_SAFE = 0.1
"""How much larger, as a share of the exact set, the falsely safe part is that a claim asks for."""

Test = Callable[[Sequence[Record], str], tuple[bool, str]]


class Claim(NamedTuple):
    """A claim on one world."""

    text: str
    task: str
    ours: Finding


def claims(
    records: Sequence[Record], tasks: Sequence[str], drawn: Sequence[Sequence[Record]] = ()
) -> list[Claim]:
    """Every claim on every world.

    Args:
        drawn: draws of seeds and episodes, which tell how firm a comparison is. One violation
            refutes that there is none, so the other claims do without.
    """
    plain = [
        Claim(text, task, tried(partial(test, records, task)))
        for text, test in CLAIMS.items()
        for task in tasks
    ]
    return plain + [
        Claim(text, task, firmly(_on(task, test), records, drawn))
        for text, test in COMPARISONS.items()
        for task in tasks
    ]


def _on(task: str, test: Test) -> Callable[[Sequence[Record]], tuple[bool, str]]:
    return lambda records: test(records, task)


def _safe(row: str, columns: Sequence[str]) -> Test:
    def test(records: Sequence[Record], task: str) -> tuple[bool, str]:
        found = {column: numbers(records, task, row, column) for column in columns}
        worst = {column: max(n.episodes for n in seeds) for column, seeds in found.items()}
        depth = min(n.depth for seeds in found.values() for n in seeds)
        said = ", ".join(f"{column} {percent(share)}" for column, share in worst.items())
        return not any(worst.values()), f"worst seed: {said}; lowest h {depth:.3f}"

    return test


def _earns_more(records: Sequence[Record], task: str) -> tuple[bool, str]:
    def reward(row: str) -> float:
        means = [mean_of(numbers(records, task, row, column)) for column in OWN_ATTACKS]
        return min(mean.reward for mean in means)

    rewards = {row: reward(row) for row in ("DRAC", *BASELINES)}
    said = ", ".join(f"{row} {value:.1f}" for row, value in rewards.items())
    return rewards["DRAC"] > max(rewards[row] for row in BASELINES), said


def _violates(row: str) -> Test:
    def test(records: Sequence[Record], task: str) -> tuple[bool, str]:
        runs = runs_of(records, task, row)
        met = [c for c in ATTACKS if any(numbers_of(run, row, c) for run in runs)]
        if not met:
            raise KeyError(f"no numbers of {row} under attack")
        found = {column: mean_of(numbers(records, task, row, column)) for column in met}
        column = max(found, key=lambda name: (found[name].episodes, -found[name].depth))
        worst, alone = found[column], mean_of(numbers(records, task, row, "no adversary"))
        said = (
            f"{percent(worst.episodes)} of the episodes under {column}, lowest h "
            f"{worst.depth:.3f}; {percent(alone.episodes)} without an adversary"
        )
        return worst.episodes > 0, said

    return test


def sets_of(records: Sequence[Record], task: str, row: str) -> dict[int, dict[str, float]]:
    """How each seed's learned set agrees with the exact one.

    Raises:
        KeyError: no exact set, or none was learned.
    """
    if task not in CLOSED_FORM:
        raise KeyError("the set is known on a coarse grid alone")
    found = {r.seed: r.data["set"] for r in select(records, task, row) if "set" in r.data}
    if not found:
        raise KeyError(f"no learned set of {row} beside an exact one")
    return found


def _set_learned(records: Sequence[Record], task: str) -> tuple[bool, str]:
    found = sets_of(records, task, "DRAC")
    iou = min(s["iou"] for s in found.values())
    falsely = max(s["falsely_safe"] for s in found.values())
    seeds = ", ".join(f"{s['iou']:.3f}" for s in found.values())
    said = f"IoU of each seed {seeds}; falsely safe at most {percent(falsely)} of the set"
    return iou >= LEARNED_IOU and falsely == 0, said


def _rac_is_wrong(records: Sequence[Record], task: str) -> tuple[bool, str]:
    rac, drac = (_falsely(records, task, row) for row in ("RAC", "DRAC"))
    return rac > drac + FALSELY_SAFE, f"RAC {percent(rac)}, DRAC {percent(drac)}"


def _discount_matters(records: Sequence[Record], task: str) -> tuple[bool, str]:
    drac = _falsely(records, task, "DRAC")
    far = {row: _falsely(records, task, row) for row in FAR_FROM_ONE}
    said = ", ".join(f"{row} {percent(share)}" for row, share in far.items())
    return min(far.values()) > drac + FALSELY_SAFE / 2, f"{said}, DRAC {percent(drac)}"


def _falsely(records: Sequence[Record], task: str, row: str) -> float:
    """Mean over seeds."""
    found = sets_of(records, task, row)
    return sum(s["falsely_safe"] for s in found.values()) / len(found)


CLAIMS: dict[str, Test] = {
    "DRAC keeps safe under both of its adversaries (no violation, every seed)": _safe(
        "DRAC", OWN_ATTACKS
    ),
    "DRAC keeps safe under best responses and bang-bang, too; ours": _safe(
        "DRAC", ("best response", "bang-bang")
    ),
    "DRAC with shield keeps safe under every adversary; ours": _safe(SHIELDED, ATTACKS),
    **{f"{row} violates the constraint under attack": _violates(row) for row in BASELINES},
    f"The robust invariant set is learned (IoU at least {LEARNED_IOU:g}, nothing falsely safe)": (
        _set_learned
    ),
}
COMPARISONS: dict[str, Test] = {
    "DRAC earns more than every baseline under its adversaries (the lower of the two)": _earns_more,
    "RAC, without an adversary, takes more for safe (by 10 % of the set; ours)": _rac_is_wrong,
    "g_h must be close to 1: else more is falsely safe (by 5 % of the set; ours)": (
        _discount_matters
    ),
}
