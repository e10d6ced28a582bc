"""The report's sentences: what was found, and what each attack is."""

from __future__ import annotations

from safer_gym.attacks import make_attack
from safer_gym.attacks.registry import ATTACKS
from safer_gym.attacks.traits import Traits, traits_of
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.report.content import Content, Subject

NATURAL = {"natural": "null"}
"""What evaluations call no attack, and the attack that it is."""


def told_by(attack: str) -> Traits:
    """What an attack declares of itself for reports; its name alone where it is not registered."""
    name = NATURAL.get(attack, attack)
    told = traits_of(make_attack(name)) if name in ATTACKS else Traits()
    title = "no attack" if attack in NATURAL else attack
    return told if told.title else told._replace(title=title)


def headline(content: Content) -> str:
    """What was found, in plain sentences."""
    if not any(subject.outcomes for subject in content.subjects):
        return "Nothing has been measured yet."
    return " ".join(_sentence(subject, content) for subject in content.subjects)


def worst(subject: Subject) -> Outcomes:
    """The outcome with the highest mean cost; among equals the one of the largest radius."""
    return max(subject.outcomes, key=lambda o: (o.mean_cost, o.eps))


def attacks_run(subject: Subject) -> str:
    """Which attacks were run, and up to which radius."""
    names = dict.fromkeys(o.attack for o in subject.outcomes if o.attack not in NATURAL)
    if not names:
        return "without an attack"
    largest = max(o.eps for o in subject.outcomes)
    return f"under the attacks that were run ({', '.join(names)}), up to ε = {largest:g}"


def _sentence(subject: Subject, content: Content) -> str:
    natural, found = subject.natural(), worst(subject)
    calm = "" if natural is None else f" (without an attack: {natural.mean_cost:.1f})"
    if found.mean_cost <= content.cost_limit:
        return (
            f"{subject.name} stayed within the cost limit of {content.cost_limit:g} "
            f"{attacks_run(subject)}: its worst mean cost is {found.mean_cost:.1f}{calm}. A "
            "stronger attack may do more."
        )
    return (
        f"{subject.name} breaks the cost limit of {content.cost_limit:g}: its mean cost rises to "
        f"{found.mean_cost:.1f} under {found.attack} at ε = {found.eps:g}{calm}."
    )
