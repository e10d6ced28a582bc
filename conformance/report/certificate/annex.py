"""The certificate beside what assessors ask: clause by clause, what it shows and what it does not.

The clauses are named and summarised in our words. Whether one applies to a system, and whether it
is met, is never decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from safer_gym.conformance.certificate.view import (
    Data,
    every_of,
    is_void,
    modes_of,
    rows_of,
)
from safer_gym.conformance.formatting import percent, radius
from safer_gym.conformance.report.certificate.sentences import attacks_run, confidence, policy_in
from safer_gym.conformance.report.certificate.tables import Table

Says = str | Callable[[Data], str]

NOTHING = "Nothing."
INTRODUCTION = (
    "This annex helps an assessor to place the certificate. It is neither a conformity assessment "
    "nor legal advice: it does not say that a clause applies, that a level is appropriate, or that "
    "a requirement is met. The clauses are summarised; their own texts count."
)


class Clause(NamedTuple):
    """A clause, or a term, of a document."""

    place: str
    about: str
    shows: Says
    lacks: Says


def _subject(data: Data) -> str:
    return (
        f"Reward and cost of exactly one policy (its digest is stated) in {_env(data)}, without an "
        f"attack and under attacks on its {_channel(data)}s, with {confidence(data)}."
    )


def _errors(data: Data) -> str:
    if _channel(data) != "observation":
        return (
            f"Errors of the {_channel(data)} of at most ε in the {data['norm']} norm at each step: "
            f"{_largest_every(data)}"
        )
    return (
        f"Errors of the observation of at most ε in the {data['norm']} norm at each step, from "
        f"whatever cause: {_largest_every(data)} The bounds under the attacks cover an error only "
        "where it does no more than these attacks."
    )


def _largest_every(data: Data) -> str:
    """The bound over every adversary at the largest radius at which it says something."""
    found = [
        (row["eps"], every["value"])
        for mode in (() if is_void(data) else modes_of(data))
        for row in rows_of(data, mode)
        if (every := every_of(row["rate"])) and not every["vacuous"] and row["eps"] > 0
    ]
    if not found:
        return "no bound was found."
    eps, value = max(found)
    return (
        f"at most {percent(value, 'up')} of episodes of {policy_in(data, 'stochastic')} exceed the "
        f"cost limit of {data['limit']:g} at ε = {radius(eps)}."
    )


def _attacks(data: Data) -> str:
    radii = ", ".join(radius(eps) for eps in sorted({row["eps"] for row in data["rows"]}))
    return (
        f"{attacks_run(data)} They moved the {_channel(data)}, at the radii {radii} in the "
        f"{data['norm']} norm. Over every adversary: {_largest_every(data)}"
    )


def _requirements(data: Data) -> str:
    if not data["requirements"]:
        return "One run, in which nothing was required."
    verdicts = "; ".join(f"{r['text']}: {r['verdict']}" for r in data["requirements"])
    return f"One run of these requirements: {verdicts}."


def _stage(data: Data) -> str:
    return (
        f"The deployment stage: an adversary who moves the {_channel(data)} at each step, within a "
        f"ball of the {data['norm']} norm."
    )


def _env(data: Data) -> str:
    return str(data["environment"]["id"])


def _channel(data: Data) -> str:
    return str(data.get("channel", "observation"))


CLAUSES: dict[str, tuple[Clause, ...]] = {
    "EU AI Act, Regulation (EU) 2024/1689, Article 15": (
        Clause(
            "15(1)",
            "appropriate accuracy, robustness and cybersecurity, consistently over the life cycle",
            _subject,
            "Which level is appropriate. Later versions of the policy or of its environment: each "
            "needs a certificate of its own.",
        ),
        Clause(
            "15(2)",
            "the Commission encourages benchmarks and measurement methods",
            "A documented method. Its bounds can be derived again from the recorded episodes "
            "(safer-gym verify), and episodes run again (safer-gym replay).",
            "That the method is a harmonised standard or an official benchmark. It is neither.",
        ),
        Clause(
            "15(3)",
            "levels of accuracy and their metrics are declared in the instructions for use",
            "Metrics and levels, with intervals, that can be declared.",
            "The declaration itself, and metrics other than reward and cost.",
        ),
        Clause(
            "15(4)",
            "resilience to errors, faults and inconsistencies, in the system or its environment",
            _errors,
            "Larger errors, failures of parts, delays, people. Redundancy and fail-safe plans. "
            "Feedback loops: the certified policy does not go on learning.",
        ),
        Clause(
            "15(5), adversarial examples and model evasion",
            "resilience to inputs made to cause an error",
            _attacks,
            "Stronger attacks than those that were run, other channels and larger radii.",
        ),
        Clause(
            "15(5), data poisoning and model poisoning",
            "resilience to manipulated training data and pre-trained parts",
            "The digest of the policy: a policy that was exchanged later has another one.",
            "How the policy was trained, and on what. A backdoor stays hidden unless an attack "
            "hits its trigger; one outside the ball always does.",
        ),
        Clause(
            "15(5), confidentiality attacks and model flaws",
            "resilience to attempts to extract data or to use flaws of the model",
            "Flaws that an attack within the ball turned into cost.",
            "Extraction of the model or of its data; security of the machine and its network.",
        ),
    ),
    "OWASP AI Security Verification Standard 1.0, chapter C11": (
        Clause(
            "11.1.1",
            "training against disallowed content",
            NOTHING,
            "The policy gives actions and no content; the item was written for models that do.",
        ),
        Clause(
            "11.1.2",
            "a version-controlled test suite is run at every release",
            _requirements,
            "That it runs at every release. The pytest plugin and the CI templates do that.",
        ),
        Clause(
            "11.1.3",
            "evaluation against known attack techniques of the modality",
            _attacks,
            "Techniques that are not in the battery.",
        ),
        Clause(
            "11.1.4",
            "hardening against adversarial inputs",
            "What hardening achieved, as bounds on cost.",
            "Which measures were taken.",
        ),
        Clause(
            "11.1.5",
            "an automated evaluator flags regressions beyond a threshold",
            "One measurement; safer-gym diff holds it against an earlier one and fails if it got "
            "worse.",
            "A rate of harmful content: the quantity here is the cost of an episode.",
        ),
        Clause(
            "11.2, 11.3",
            "membership inference, model inversion, model extraction",
            NOTHING,
            "All of it. White-box attacks assume that the adversary has the model already.",
        ),
        Clause(
            "11.4.1, 11.4.2",
            "anomaly detection of inputs at run time, and what follows from it",
            "The policy with its filter, if the filter is part of the policy that was certified.",
            "A filter that stands in front of it elsewhere, and what follows from an alarm.",
        ),
        Clause(
            "11.4.3",
            "the feedback of safety violations is guarded against poisoning",
            NOTHING,
            "All of it: the certified policy does not go on learning.",
        ),
    ),
    "NIST AI 100-2 E2025, taxonomy of adversarial machine learning": (
        Clause("stage of learning", "training or deployment", _stage, "The training stage."),
        Clause(
            "attacker's goal",
            "availability breakdown, integrity violation, privacy compromise",
            "Integrity: the adversary raises the cost of an episode. Attacks that lower its reward "
            "are nearest to availability.",
            "Privacy compromise.",
        ),
        Clause(
            "attacker's capability",
            "what the attacker controls",
            lambda data: f"Control of the {_channel(data)} within the ball, at every step.",
            "Control of training data, labels, model, source code. A limited number of queries: "
            "attacks may ask the policy as often as they like.",
        ),
        Clause(
            "attacker's knowledge",
            "white-box, black-box, grey-box",
            "White-box: attacks by gradient know the policy and critics of it. The bounds over "
            "every adversary hold whatever it knows.",
            "How much weaker an adversary is who knows less.",
        ),
        Clause(
            "evasion", "adversarial inputs at deployment", _attacks, "Evasion outside the ball."
        ),
        Clause("poisoning, privacy, misuse", "the other classes of attack", NOTHING, "All of it."),
    ),
    "Vocabulary of ISO 10218-1:2025, ISO 10218-2:2025 and of ISO 25785-1 (in preparation)": (
        Clause(
            "hazard, hazardous situation",
            "a potential source of harm, and exposure to it",
            lambda data: f"States with a cost, as the environment {_env(data)} defines the cost.",
            "That the cost covers all hazards. To find them is the risk assessment's task.",
        ),
        Clause(
            "risk assessment, risk reduction",
            "severity and probability of harm, and measures against it",
            lambda data: (
                "The probability, in this environment, that the cost of an episode exceeds "
                f"{data['limit']:g}."
            ),
            "Severity of harm, exposure, protective measures, residual risk.",
        ),
        Clause(
            "reasonably foreseeable misuse",
            "use in another way than intended that is to be expected",
            _stage,
            "Any other misuse.",
        ),
        Clause(
            "safety function, performance level",
            "a function whose failure raises a risk, and how reliably it is carried out",
            NOTHING,
            "A certified policy is no safety function, and no performance level (PL) or safety "
            "integrity level (SIL) follows. Protective stops and limits stay where they are.",
        ),
        Clause(
            "verification, validation",
            "a stated requirement is met; the intended use is served",
            _requirements,
            "Validation on the real system. All episodes ran in the environment that is named.",
        ),
        Clause(
            "cybersecurity",
            "threats to safety through access to the robot's control",
            _stage,
            "Whether, and how, anybody can get there.",
        ),
        Clause(
            "actively controlled stability (ISO 25785-1)",
            "a robot that could fall without control",
            "Falls, where the environment counts a fall as a cost.",
            "Anything about falls where it does not.",
        ),
    ),
}
"""By document."""


def annex_tables(certificate: Data) -> Iterator[tuple[str, Table]]:
    """Title and table of each document."""
    head = ("clause", "about", "what the certificate shows", "what it does not show")
    for title, clauses in CLAUSES.items():
        yield (
            title,
            Table(
                head,
                [
                    (c.place, c.about, _said(c.shows, certificate), _said(c.lacks, certificate))
                    for c in clauses
                ],
            ),
        )


def _said(words: Says, certificate: Data) -> str:
    return words if isinstance(words, str) else words(certificate)
