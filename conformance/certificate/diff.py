"""Two certificates of one task side by side: a gate against regressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from safer_gym.conformance.certificate.evidence import Row, Sandwich
from safer_gym.conformance.certificate.record import Certificate, Headline, doubt_of

ORDER = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}


class Change(NamedTuple):
    """One difference."""

    kind: Literal["worse", "unsure", "better"]
    """"worse" is sure: a verdict, a headline, or bounds that no longer overlap."""
    what: str


def diff(old: Certificate, new: Certificate) -> tuple[Change, ...]:
    """What changed from the old certificate to the new one, the worst first.

    Raises:
        ValueError: the certificates speak of different environments, channels, units,
            norms, scales or limits.
    """
    _check_comparable(old, new)
    void = [f"{which} certificate decides nothing; {doubt}" for which, doubt in _doubts(old, new)]
    if void:
        return tuple(Change("unsure", what) for what in void)
    changes = [*_verdicts(old, new), *_headlines(old, new), *_bounds(old, new)]
    return tuple(
        sorted(changes, key=lambda change: ("worse", "unsure", "better").index(change.kind))
    )


def exit_code(changes: tuple[Change, ...]) -> int:
    """0: nothing got worse; 1: something did, surely; 2: perhaps."""
    kinds = {change.kind for change in changes}
    return 1 if "worse" in kinds else 2 if "unsure" in kinds else 0


def _check_comparable(old: Certificate, new: Certificate) -> None:
    pairs = {
        "environments": (old.environment.digest, new.environment.digest),
        "channels": (old.channel, new.channel),
        "units": (old.units, new.units),
        "norms": (old.norm, new.norm),
        "scales": (old.scale, new.scale),
        "limits": (old.limit, new.limit),
    }
    for name, (before, after) in pairs.items():
        if before != after:
            raise ValueError(f"the certificates have different {name}: {before!r} and {after!r}")


def _doubts(old: Certificate, new: Certificate) -> Iterator[tuple[str, str]]:
    for which, certificate in (("the old", old), ("the new", new)):
        if doubt := doubt_of(certificate.flags):
            yield which, doubt


def _verdicts(old: Certificate, new: Certificate) -> Iterator[Change]:
    before = {decision.text: decision.verdict for decision in old.requirements}
    for decision in new.requirements:
        was = before.get(decision.text)
        if was is None or was == decision.verdict:
            continue
        step = f"{decision.text}: {was} became {decision.verdict} ({decision.why})"
        if ORDER[decision.verdict] > ORDER[was]:
            yield Change("better", step)
        else:
            yield Change("worse" if decision.verdict == "FAIL" else "unsure", step)
    for text in before.keys() - {decision.text for decision in new.requirements}:
        yield Change("unsure", f"{text}: no longer asked")


def _headlines(old: Certificate, new: Certificate) -> Iterator[Change]:
    before = {(h.mode, h.rate): h for h in old.headlines}
    for now in new.headlines:
        was = before.get((now.mode, now.rate))
        if was is not None:
            yield from _headline(was, now)


def _headline(was: Headline, now: Headline) -> Iterator[Change]:
    at = f"at a rate of {now.rate:g} ({now.mode} policy)"
    far = float("inf")
    old_attacked = far if was.attacked_eps is None else was.attacked_eps
    new_attacked = far if now.attacked_eps is None else now.attacked_eps
    if new_attacked != old_attacked:
        kind: Literal["worse", "unsure"] = "worse" if new_attacked < old_attacked else "unsure"
        # A larger attacked eps may be a weaker search as well as a better policy.
        yield Change(kind, f"attacked eps {was.attacked_eps} became {now.attacked_eps} {at}")
    for name in ("certified_eps", "certified_eps_attacks"):
        a, b = getattr(was, name), getattr(now, name)
        if a != b:
            lower = (b if b is not None else -1.0) < (a if a is not None else -1.0)
            # A smaller certified radius may be one of fewer episodes.
            words = name.replace("_", " ")
            yield Change("unsure" if lower else "better", f"{words} {a} became {b} {at}")


def _bounds(old: Certificate, new: Certificate) -> Iterator[Change]:
    before = {(row.mode, row.eps): row for row in old.rows}
    for row in new.rows:
        was = before.get((row.mode, row.eps))
        if was is not None:
            yield from _row(was, row)


def _row(was: Row, now: Row) -> Iterator[Change]:
    for metric in ("rate", "mean"):
        a, b = getattr(was, metric), getattr(now, metric)
        place = f"{metric} at eps {now.eps:g} ({now.mode} policy)"
        before, after = _upper(a), _upper(b)
        if b.lower.value > before:
            yield Change(
                "worse", f"{place}: at least {b.lower.value:.4g}, was at most {before:.4g}"
            )
        elif a.lower.value > after:
            yield Change(
                "better", f"{place}: at most {after:.4g}, was at least {a.lower.value:.4g}"
            )


def _upper(sandwich: Sandwich) -> float:
    ends = (sandwich.upper_attacks.value, sandwich.upper_every.value)
    return min((end for end in ends if end is not None), default=float("inf"))
