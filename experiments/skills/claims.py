"""What the paper claims, and what we ask beside it, tried on our runs and priors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from experiments.harness.finding import Finding, tried
from experiments.harness.records import Record
from experiments.harness.resampling import firmly
from experiments.skills.methods import METHODS, bound_of
from experiments.skills.numbers import Numbers, mean_of, numbers
from safer_gym.conformance.formatting import percent

SAFER, PARROT = "SkillSAFER", "PARROT"
AUC = 0.9
CHANCE = 0.6
"""The largest AUC that counts as about a half."""
TYPICAL, UNTYPICAL = 0.4, 0.1
"""Of an unsafe action among those that a prior draws itself: the least that counts as usual, the
most that counts as rare."""
HALF = "0.5"

Prior = dict[str, Any]
PriorTest = Callable[[Sequence[Prior]], tuple[bool, str]]
RunTest = Callable[[Sequence[Record], str], tuple[bool, str]]


class Claim(NamedTuple):
    """A claim, on one task or on the priors ("")."""

    text: str
    task: str
    ours: Finding


def claims(
    priors: Sequence[Prior],
    records: Sequence[Record],
    tasks: Sequence[str],
    drawn: Sequence[Sequence[Record]] = (),
) -> list[Claim]:
    """Every claim.

    Args:
        drawn: draws of seeds and episodes, which tell how firm a verdict on runs is.
    """
    of_priors = [
        Claim(text, "", tried(partial(test, priors))) for text, test in PRIOR_CLAIMS.items()
    ]
    return of_priors + [
        Claim(text, task, firmly(_on(task, test), records, drawn))
        for text, test in RUN_CLAIMS.items()
        for task in tasks
    ]


def _on(task: str, test: RunTest) -> Callable[[Sequence[Record]], tuple[bool, str]]:
    return lambda records: test(records, task)


def _of(priors: Sequence[Prior], kind: str) -> list[Prior]:
    found = [prior for prior in priors if prior["prior"] == kind]
    if not found:
        raise KeyError(f"no prior of {kind}")
    return found


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _auc(kind: str, key: str, holds: Callable[[float], bool]) -> PriorTest:
    def test(priors: Sequence[Prior]) -> tuple[bool, str]:
        found = [prior[key] for prior in _of(priors, kind)]
        return all(map(holds, found)), f"each seed: {_listed(found)}"

    return test


def _likely(priors: Sequence[Prior]) -> tuple[bool, str]:
    ours, other = (
        [prior["unsafe_among_likely"][HALF] for prior in _of(priors, kind)]
        for kind in (SAFER, PARROT)
    )
    return max(ours) < min(other), f"{SAFER} {_listed(ours)}; {PARROT} {_listed(other)}"


def _typical(kind: str, holds: Callable[[float], bool]) -> PriorTest:
    def test(priors: Sequence[Prior]) -> tuple[bool, str]:
        found = [prior["typicality"]["unsafe"] for prior in _of(priors, kind)]
        return all(map(holds, found)), f"each seed: {_listed(found)}"

    return test


def _informed(priors: Sequence[Prior]) -> tuple[bool, str]:
    """Whether a prior parts safe from unsafe by more nats with its safety variable than without."""
    gains = [_parted(prior) - _parted(prior["silenced"]) for prior in _of(priors, f"{SAFER}-kl")]
    return min(gains) > 0, f"nats gained, each seed: {_listed(gains)}"


def _parted(found: dict[str, float]) -> float:
    return found["log_p_safe"] - found["log_p_unsafe"]


def _calibrated(kind: str, draw: str) -> PriorTest:
    def test(priors: Sequence[Prior]) -> tuple[bool, str]:
        said, holds = [], True
        for bound in _of(priors, kind)[0]["calibration"][draw]:
            rolled = [prior["calibration"][draw][bound] for prior in _of(priors, kind)]
            shares = [float(np.mean(part["unsafe"])) for part in rolled if part is not None]
            if shares:
                holds = holds and max(shares) <= float(bound)
                said.append(f"{percent(float(bound))}: {percent(max(shares))}")
        return holds, "bound and worst seed: " + "; ".join(said)

    return test


def _less(field: str, ours: str, others: Sequence[str]) -> RunTest:
    """Whether a number of ours is smaller than every other's, in the mean over seeds."""

    def test(records: Sequence[Record], task: str) -> tuple[bool, str]:
        found = {name: _mean(records, task, name, field) for name in (ours, *others)}
        least = min(found[name] for name in others)
        return found[ours] < least, _said(found, field)

    return test


def _at_least(field: str, ours: str, others: Sequence[str]) -> RunTest:
    def test(records: Sequence[Record], task: str) -> tuple[bool, str]:
        found = {name: _mean(records, task, name, field) for name in (ours, *others)}
        return found[ours] >= max(found[name] for name in others), _said(found, field)

    return test


def _mean(records: Sequence[Record], task: str, method: str, field: str) -> float:
    found: Numbers = mean_of(numbers(records, task, method))
    return float(getattr(found, field))


def _said(found: dict[str, float], field: str) -> str:
    form = percent if field == "success" else "{:.0f}".format
    return ", ".join(f"{name} {form(value)}" for name, value in found.items())


def _sweet_spot(records: Sequence[Record], task: str) -> tuple[bool, str]:
    """A bound between the smallest and the largest succeeds more than the one and touches less than
    the other."""
    names = {r.method for r in records if r.task == task and bound_of(r.method) is not None}
    swept = sorted((bound_of(name) or 0.0, name) for name in names)
    if len(swept) < 3:
        raise KeyError("no sweep of eta")
    found = {eta: mean_of(numbers(records, task, name)) for eta, name in swept}
    inner = list(found)[1:-1]
    low, high = found[min(found)], found[max(found)]
    best = max(inner, key=lambda eta: (found[eta].success, -found[eta].violations))
    holds = found[best].success > low.success and found[best].violations < high.violations
    said = "; ".join(
        f"eta {eta:g}: {percent(n.success)}, {n.violations:.0f}" for eta, n in found.items()
    )
    return holds, said


OTHERS = tuple(name for name in METHODS if name != SAFER)
PRIOR_CLAIMS: dict[str, PriorTest] = {
    f"Figure 1: {SAFER} tells unsafe from safe (AUC at least {AUC:g}, every seed)": _auc(
        SAFER, "auc", lambda found: found >= AUC
    ),
    f"Figure 1: {PARROT} does not (AUC at most {CHANCE:g}, every seed)": _auc(
        PARROT, "auc", lambda found: found <= CHANCE
    ),
    f"{PARROT} draws what is unsafe: in the same state at least two fifths of its own actions are "
    "less likely than an unsafe one, every seed; ours": _typical(
        PARROT, lambda found: found >= TYPICAL
    ),
    f"{SAFER} does not (at most a tenth, every seed); ours": _typical(
        SAFER, lambda found: found <= UNTYPICAL
    ),
    "Figure 1: among the likelier half fewer steps are unsafe than with PARROT": _likely,
    "Figure 4: the bounds hold, z a truncated Gaussian": _calibrated(SAFER, "truncated"),
    "Figure 4: the bounds hold, z uniform in the box": _calibrated(SAFER, "uniform"),
    "Figure 4: the bounds hold, onset labels, z a truncated Gaussian; ours": _calibrated(
        f"{SAFER}-onset", "truncated"
    ),
    "With three tenths of its KL the safety variable says something: silenced, the prior parts "
    "safe from unsafe actions by fewer nats, every seed; ours": _informed,
}
LIGHT = f"{SAFER}(kl=0.3)"
LABELLED = (f"{SAFER}(onset)", f"{SAFER}(recovery)")
"""Other labels than the paper's."""
RUN_CLAIMS: dict[str, RunTest] = {
    f"Table 1: {SAFER} has fewer violations than {PARROT}": _less("violations", SAFER, (PARROT,)),
    f"Table 1: {SAFER} succeeds at least as often as {PARROT}": _at_least(
        "success", SAFER, (PARROT,)
    ),
    f"Table 1: {SAFER} has the fewest violations": _less("violations", SAFER, OTHERS),
    f"Table 1: {SAFER} succeeds most often": _at_least("success", SAFER, OTHERS),
    **{
        f"{row} has fewer violations than {PARROT}; ours": _less("violations", row, (PARROT,))
        for row in LABELLED
    },
    **{
        f"{row} succeeds at least as often as {PARROT}; ours": _at_least("success", row, (PARROT,))
        for row in LABELLED
    },
    "Figure 5: a bound in between succeeds more than the smallest and touches less than the "
    "largest": _sweet_spot,
    "Figure 8: without the safety variable there are more violations": _less(
        "violations", SAFER, (f"{SAFER}(no c)",)
    ),
    "Figure 8: without the safety variable success is rarer": _at_least(
        "success", SAFER, (f"{SAFER}(no c)",)
    ),
    f"{LIGHT} has fewer violations than {SAFER}(no c); ours": _less(
        "violations", LIGHT, (f"{SAFER}(no c)",)
    ),
    "Figure 9: PARROT trained on unsafe data, too, has more violations": _less(
        "violations", PARROT, (f"{PARROT}(unsafe data)",)
    ),
}
