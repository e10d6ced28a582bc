"""What holds given a model, in sentences and as a table: apart from all that needs none."""

from __future__ import annotations

import json
from collections.abc import Iterator

from safer_gym.conformance.certificate.model_evidence import KIND
from safer_gym.conformance.certificate.view import Data, headline_of, is_void
from safer_gym.conformance.formatting import percent, radius


def model_of(certificate: Data) -> Data | None:
    """The evidence given a model; None where there is none."""
    return certificate.get("model")


def claims(certificate: Data) -> Iterator[str]:
    """What is shown, and in the same breath that a model is given."""
    model, headline = model_of(certificate), headline_of(certificate, "deterministic")
    if model is None or headline is None or is_void(certificate):
        return
    eps = headline.get("certified_eps_given_model")
    if eps is not None:
        tests = [test for test in model["tests"] if test["eps"] <= eps]
        upper = max(test["upper"] for test in tests)
        yield (
            f"Given the model of its shield ({KIND}): no adversary within ε = {eps:g}, however it "
            "adapts, makes the policy cause any cost. "
            f"{assumption(model)} Under each attack tested, with {confidence(model)}, at most "
            f"{percent(upper, 'up')} of episodes leave the model; none of "
            f"{sum(test['n'] for test in tests)} did."
        )


def limits(certificate: Data) -> Iterator[str]:
    """What is not shown."""
    model, headline = model_of(certificate), headline_of(certificate, "deterministic")
    if model is None:
        return
    if not model["proved"]:
        yield f"Given a model, nothing is shown: {model['why_unproved']}."
    elif headline is None or headline.get("certified_eps_given_model") is None:
        yield "Given a model, no radius is certified: see the requirement and the tests."
    yield (
        "What holds given the model of the shield is no bound without it: the model's bounds were "
        "tested under the attacks named, and another adversary may lead to states where they fail."
    )


def assumption(model: Data) -> str:
    """What is assumed, in one sentence."""
    parts = json.loads(model["shield"])["parts"]
    names = "; ".join(", ".join(part["names"]) for part in parts)
    return (
        "Assumed, and tested but not proved: every episode begins in the shield's safe set, every "
        f"step from a safe state keeps the safety coordinates ({names}) within the bounds of the "
        "shield's model whatever the adversary does, and no step costs while h >= 0."
    )


def confidence(model: Data) -> str:
    """Of the tests of the model, apart from the certificate's."""
    return f"{percent(round(1.0 - model['delta'], 12), 'down')} confidence"


def tests_of(certificate: Data) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows: each attack behind the shield."""
    head = (
        *("attack", "ε", "episodes", "left the model", "began outside", "unexplained cost"),
        *("with a cost", "with an alarm", "steps changed", "steps without a safe action"),
    )
    model = model_of(certificate)
    rows = [
        (
            "no attack" if t["attack"] == "null" else t["attack"],
            radius(t["eps"]),
            *(str(t[key]) for key in ("n", "left", "outside", "unexplained", "costly", "alarms")),
            percent(t["moved"] / max(t["steps"], 1)),
            str(t["infeasible"]),
        )
        for t in (model["tests"] if model else ())
    ]
    return head, rows
