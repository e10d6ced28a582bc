"""What follows from a shield's proof and from the tests of its model, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from safer_gym.balls import LpBall
from safer_gym.conformance.certificate.model_evidence import ModelEvidence, ModelTest
from safer_gym.conformance.certificate.requirement import Metric
from safer_gym.conformance.statistics import binomial_upper
from safer_gym.shield import reach_of
from safer_gym.types import Channel
from safer_gym.wrappers.shield.shield import Models, Shield, parsed

NULL = "null"
AWARE = ("spoof", "greedy")
"""Adversaries that know the shield; without them its model is not tested on observations."""
PUSHES = ("full push low", "full push high", "full push held")
"""Constant corners of the ball; without them it is not tested behind the policy."""
ROOM = 1 + 1e-9


@dataclass(frozen=True)
class GivenModel:
    """The upper end over every adversary, given the model of a shield.

    Args:
        evidence: what was found; None: the policy has no shield.
        norm, scale, channel: of the certificate's balls.
        attacks: labels of the battery, those that were not learned too: the model has to be tested
            under each of them.
    """

    evidence: ModelEvidence | None
    norm: str
    scale: tuple[float, ...] | None
    channel: Channel
    attacks: tuple[str, ...]

    def upper(self, eps: float) -> float | None:
        """Its value at a radius: the largest of the tests up to there; None where there is none."""
        tests = () if self.evidence is None else self.evidence.tests
        return max((test.upper for test in tests if test.eps <= eps), default=None)

    def refused(self, eps: float, metric: Metric) -> str | None:
        """Why it supports no PASS at a radius; None where it does."""
        evidence = self.evidence
        if evidence is None:
            return "the policy has no shield, and so no model is given"
        if metric == "mean":
            return "given a model the rate of violations is bounded, and not the mean"
        if not evidence.proved:
            return f"the shield is not proved: {evidence.why_unproved}"
        return (
            self._too_large(evidence, eps)
            or self._untested(evidence.tests, eps)
            or _fault(evidence.tests, eps)
        )

    def _untested(self, tests: Sequence[ModelTest], eps: float) -> str | None:
        """Which tests are missing: a budget may have ended before them."""
        own = [label for label in self.attacks if label != NULL]
        needed = dict.fromkeys([*shield_tests(self.channel), *own]) if eps > 0 else {}
        done = {(test.attack, test.eps) for test in tests}
        missing = [NULL] if (NULL, 0.0) not in done else []
        missing += [label for label in needed if (label, eps) not in done]
        if missing:
            return f"the model was not tested under {', '.join(missing)} at eps {eps:g}"
        return None

    def _too_large(self, evidence: ModelEvidence, eps: float) -> str | None:
        """Why the shield does not cover the radius: it was built for a smaller one."""
        shield = read_shield(evidence.shield)
        unit = 1.0 if self.scale is None else np.array(self.scale)
        if self.channel != "observation":
            built = shield.action_eps if self.channel == "action" else shield.disturbance
            needed = float(eps * np.max(unit))
            if needed <= built * ROOM:
                return None
            return f"the shield was built for {self.channel}s of {built:g}, less than {needed:g}"
        for part in shield.parts:
            radius = eps * unit * np.ones(part.weight.shape[1])
            needed_of = reach_of(part.weight, LpBall.of(self.norm, radius))
            for name, most, wide in zip(part.names, part.reach, needed_of, strict=True):
                if float(wide) > float(most) * ROOM:
                    return (
                        f"the shield was built for a smaller radius: an adversary moves {name} by "
                        f"{float(wide):.4g}, and it allows for {float(most):.4g}"
                    )
        return None


def shield_tests(channel: Channel) -> tuple[str, ...]:
    """Labels of the tests that a shield's model gets beside those under the battery."""
    return AWARE if channel == "observation" else PUSHES


def read_shield(text: str, model: Models = None, *, trust: bool = False) -> Shield:
    """The shield of evidence; it is not trusted.

    Args:
        text: JSON.
        model: the functions that it was fitted with; None leaves them at their names.
        trust: import the functions that it names.

    Raises:
        ValueError: no shield, or functions with other values.
    """
    return Shield.from_json(parsed(text), model, trust=trust)


def made(shield: Shield, tests: Sequence[ModelTest], delta: float) -> ModelEvidence:
    """The evidence, with the shield's proof."""
    text = json.dumps(shield.to_json(), separators=(",", ":"), sort_keys=True)
    bare = ModelEvidence(text, False, "", 0, tuple(tests), delta)
    return derived_evidence(bare, shield)


def derived_evidence(evidence: ModelEvidence, shield: Shield | None = None) -> ModelEvidence:
    """The evidence with all that follows from the shield and the counts computed here.

    Args:
        evidence: not trusted.
        shield: the evidence's own with the functions that it names; None: it names none.

    Raises:
        ValueError: no shield, counts that contradict each other, or a function that is only named.
    """
    for test in evidence.tests:
        _check_counts(test)
    share = evidence.delta / max(len(evidence.tests), 1)
    proofs = (shield or read_shield(evidence.shield)).prove()
    return replace(
        evidence,
        proved=all(proof.holds for proof in proofs),
        why_unproved=next((proof.reason for proof in proofs if not proof.holds), ""),
        cells=sum(proof.cells for proof in proofs),
        tests=tuple(replace(t, upper=binomial_upper(t.left, t.n, share)) for t in evidence.tests),
    )


def _check_counts(test: ModelTest) -> None:
    counts = (test.left, test.outside, test.unexplained, test.costly, test.alarms)
    if test.n < 1 or not all(0 <= count <= test.n for count in counts):
        raise ValueError(f"a test of the model counts {counts} of {test.n} episodes")
    if not 0 <= test.moved <= test.steps or not 0 <= test.infeasible <= test.steps:
        raise ValueError(f"a test of the model counts more steps than its {test.steps}")


def _fault(tests: Sequence[ModelTest], eps: float) -> str | None:
    """Why the tests up to a radius refute the model."""
    for test in (test for test in tests if test.eps <= eps):
        where = f"of {test.n} episodes under {test.attack} at eps {test.eps:g}"
        for count, what in (
            (test.left, "left the bounds of the model"),
            (test.outside, "began outside the shield's safe set"),
            (test.unexplained, "had a cost that h does not explain"),
            (test.costly, "had a cost"),
            (test.alarms, "raised an alarm"),
        ):
            if count:
                return f"the model is refuted: {count} {where} {what}"
        if test.infeasible:
            return f"the shield found no safe action in {test.infeasible} steps {where}"
    return None
