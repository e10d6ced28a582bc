"""What must hold: a limit on episodic cost, at a radius, against named or all adversaries.

Requirement.parse("P(cost > 5) <= 0.05 at eps = 0.05 with 95 % confidence under attacks")
Requirement.parse("mean cost <= 2 at eps = 0.002 for every adversary")
Requirement.parse("P(cost > 5) <= 0.1 at action eps = 0.1 under attacks")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast

from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, PROBABILITY, SHARE, require, shown
from safer_gym.types import CHANNELS, Channel

Scope = Literal["attacks", "every", "model"]
Metric = Literal["rate", "mean"]
Mode = Literal["deterministic", "stochastic"]

SCOPES: tuple[Scope, ...] = ("attacks", "every", "model")
"""Against the attacks of the battery, against every adversary in the ball, or against every one
given the model of the policy's shield."""
SCOPE_WORDS: dict[Scope, str] = {
    "attacks": "under attacks",
    "every": "for every adversary",
    "model": "for every adversary given the model",
}

METRICS: tuple[Metric, ...] = ("rate", "mean")
"""Probability that an episode's cost exceeds the limit, or mean episodic cost."""

MODES: tuple[Mode, ...] = ("deterministic", "stochastic")
"""The policy's mean action, or a draw from its action distribution."""

EXAMPLE = "P(cost > 5) <= 0.05 at eps = 0.05 with 95 % confidence under attacks"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_CLAIM = re.compile(
    rf"(?:P\(\s*cost\s*>\s*(?P<limit>{_NUMBER})\s*\)|(?P<mean>mean cost|E\[\s*cost\s*\]))"
    rf"\s*<=\s*(?P<bound>{_NUMBER})\s*(?P<percent>%)?\s*",
    re.IGNORECASE,
)
_CLAUSES = tuple(
    re.compile(rf",?\s*{clause}\s*", re.IGNORECASE)
    for clause in (
        rf"at\s+(?:(?P<channel>{'|'.join(CHANNELS)})\s+)?eps\s*=\s*(?P<eps>{_NUMBER})",
        rf"with\s+(?P<confidence>{_NUMBER})\s*%\s*confidence",
        r"(?P<scope>under attacks|under the attack battery|"
        r"for every adversary given the model|for every adversary)",
        r"(?:by|of) the (?P<mode>deterministic|stochastic) policy",
    )
)
"""Each at most once, in any order; the radius must be there."""


@dataclass(frozen=True)
class Requirement:
    """A statement about worst-case episodic cost that a certificate decides.

    Args:
        limit: an episode is a violation when its undiscounted cost is above this.
        rate: largest allowed probability of a violation; 0.05 where neither it nor `mean` is
            given.
        mean: largest allowed mean episodic cost, instead of `rate`.
        eps: radius of the ball around what the adversary moves, in units of the certificate's
            scale.
        scope: "attacks", the adversaries of the battery; "every", all adversaries in the ball; or
            "model", all of them given the model of the policy's shield.
        confidence: probability with which the verdict must be right.
        mode: "deterministic" or "stochastic" policy. By default what the scope allows: a bound
            over every adversary needs the policy's own noise.
        channel: what the adversary moves: "observation", "action" or "disturbance".

    Raises:
        ValueError: names the argument, what was expected and what came.
    """

    limit: float | None = None
    rate: float | None = None
    mean: float | None = None
    eps: float = 0.0
    scope: Scope = "attacks"
    confidence: float = 0.95
    mode: Mode | None = None
    channel: Channel = "observation"

    def __post_init__(self) -> None:
        choose("scope", self.scope, SCOPES)
        choose("channel", self.channel, CHANNELS)
        self._settle_metric()
        if self.mode is None:
            default: Mode = "stochastic" if self.scope == "every" else "deterministic"
            object.__setattr__(self, "mode", default)
        choose("mode", self.mode, MODES)
        require(NOT_NEGATIVE, eps=self.eps)
        require(PROBABILITY, confidence=self.confidence)

    def _settle_metric(self) -> None:
        if self.rate is not None and self.mean is not None:
            raise ValueError("a requirement bounds rate or mean, got both")
        if self.mean is not None:
            require(NOT_NEGATIVE, mean=self.mean)
        elif self.limit is None:
            raise ValueError("a requirement needs a limit (with a rate), or a mean; got neither")
        elif self.rate is None:
            object.__setattr__(self, "rate", 0.05)
        if self.rate is not None:
            require(SHARE, rate=self.rate)
            if self.limit is None:
                raise ValueError("a requirement with a rate needs a limit; got None")
        if self.limit is not None:
            require(NOT_NEGATIVE, limit=self.limit)

    @property
    def metric(self) -> Metric:
        """Which of the two numbers is bounded."""
        return "rate" if self.mean is None else "mean"

    @property
    def bound(self) -> float:
        """The largest value that the metric may have."""
        return cast(float, self.rate if self.mean is None else self.mean)

    @property
    def delta(self) -> float:
        """Allowed probability of a wrong verdict, 1 - confidence."""
        return 1.0 - self.confidence

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """A requirement from one sentence; `str(requirement)` is its inverse.

        Raises:
            ValueError: the sentence cannot be read; shows one that can.
        """
        if not isinstance(text, str):
            raise ValueError(f"text must be a sentence, got {text!r}")
        found = _parts(text.strip())
        if found is None:
            raise ValueError(
                f"requirement {shown(text)} cannot be read; write it like {EXAMPLE!r}, or with "
                "'mean cost <= 2', or 'for every adversary'"
            )
        bound = float(found["bound"])
        bound = round(bound / 100.0, 12) if "percent" in found else bound
        return cls(
            limit=float(found["limit"]) if "limit" in found else None,
            rate=None if "mean" in found else bound,
            mean=bound if "mean" in found else None,
            eps=float(found["eps"]),
            scope=_scope(found.get("scope", "").lower()),
            confidence=round(float(found.get("confidence", 95.0)) / 100.0, 12),
            mode=cast(Any, found["mode"].lower() if "mode" in found else None),
            channel=cast(Any, found.get("channel", "observation").lower()),
        )

    @classmethod
    def from_table(cls, table: Mapping[str, Any], name: str = "requirement") -> Requirement:
        """A requirement from a TOML or JSON table; `text = "..."` holds a whole sentence.

        Raises:
            ValueError: names the table and the key.
        """
        if not isinstance(table, Mapping):
            raise ValueError(f"{name} must be a table, got {table!r}")
        known = ("text", *cls.__dataclass_fields__)
        for key in table:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{name}: unknown key {key!r}; known: {', '.join(known)}.{hint}")
        try:
            if "text" in table:
                if len(table) > 1:
                    raise ValueError("text stands alone, without other keys")
                return cls.parse(table["text"])
            return cls(**table)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from error

    def __str__(self) -> str:
        what = f"P(cost > {self.limit:.12g})" if self.metric == "rate" else "mean cost"
        against = SCOPE_WORDS[self.scope]
        where = "" if self.channel == "observation" else f"{self.channel} "
        return (
            f"{what} <= {self.bound:.12g} at {where}eps = {self.eps:.12g} with "
            f"{100 * self.confidence:.12g} % confidence {against} by the {self.mode} policy"
        )


def _scope(words: str) -> Scope:
    if "model" in words:
        return "model"
    return "every" if "every" in words else "attacks"


def _parts(text: str) -> dict[str, str] | None:
    """What a sentence says, by name; None where it cannot be read."""
    claim = _CLAIM.match(text)
    if claim is None:
        return None
    found, rest, clauses = claim.groupdict(), text[claim.end() :], [*_CLAUSES]
    while rest:
        match = next((m for clause in clauses if (m := clause.match(rest))), None)
        if match is None:
            return None
        clauses.remove(match.re)
        found, rest = {**found, **match.groupdict()}, rest[match.end() :]
    told = {name: value for name, value in found.items() if value is not None}
    return told if "eps" in told else None
