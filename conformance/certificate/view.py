"""A certificate's JSON as the reports read it: grouped by the policy's mode, in a fixed order.

The reports take the plain dict and nothing else, so that they can be made anywhere, from a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from safer_gym.conformance.certificate.requirement import MODES
from safer_gym.conformance.certificate.seal import SCHEMAS

Data = Mapping[str, Any]
"""A part of the certificate's JSON, whose schema is `conformance/certificate/schema`."""

NO_ATTACK = ("null", "natural")


def checked(certificate: Any) -> Data:
    """The certificate itself, if it is one.

    Raises:
        ValueError: another schema.
    """
    found = certificate.get("schema") if isinstance(certificate, Mapping) else None
    if found not in SCHEMAS:
        raise ValueError(f"the certificate's schema must be {SCHEMAS[0]!r}, got {found!r}")
    return certificate


def modes_of(certificate: Data) -> list[str]:
    """The modes that were certified, deterministic first."""
    present = {row["mode"] for row in certificate["rows"]}
    return [mode for mode in MODES if mode in present]


def rows_of(certificate: Data, mode: str) -> list[Data]:
    """The rows of one mode by growing radius."""
    return sorted((r for r in certificate["rows"] if r["mode"] == mode), key=lambda r: r["eps"])


def decisions_of(certificate: Data, mode: str, metric: str) -> list[Data]:
    """The requirements on one metric of the policy in one mode."""
    found = certificate["requirements"]
    return [r for r in found if r["mode"] == mode and r["metric"] == metric]


def notes_of(certificate: Data, decision: Data) -> list[Data]:
    """The worst episodes at the radius and in the mode of a requirement."""
    wanted = (decision["eps"], decision["mode"])
    return [e for e in certificate["episodes_of_note"] if (e["eps"], e["mode"]) == wanted]


def is_void(certificate: Data) -> bool:
    """Whether an error makes all that was measured say nothing."""
    return any(flag["level"] == "error" for flag in certificate["flags"])


def headline_of(certificate: Data, mode: str) -> Data | None:
    """The figures of one mode, where there are any."""
    return next((h for h in certificate["headlines"] if h["mode"] == mode), None)


def worst_first(attacks: Sequence[Data]) -> list[Data]:
    """Attacks by falling rate of violations, then by falling mean cost."""
    return sorted(attacks, key=lambda a: (-a["violations"] / max(a["n"], 1), -a["mean_cost"]))


def name_of(attack: str | None) -> str:
    """What to call an attack; the label of none at all is for machines."""
    return "–" if attack is None else "no attack" if attack in NO_ATTACK else attack


def costs_of(attack: Data, certificate: Data) -> Sequence[float]:
    """Costs of an attack's fresh episodes; those without an attack are kept with the benign."""
    if attack["costs"] or certificate["benign"] is None:
        return attack["costs"]
    return certificate["benign"]["costs"][: attack["n"]]


def battery_of(certificate: Data) -> list[str]:
    """Labels of the attacks that the certificate is about, without that of no attack."""
    measured = (a["attack"] for row in certificate["rows"] for a in row["attacks"])
    return [a for a in dict.fromkeys([*certificate["attacks"], *measured]) if a not in NO_ATTACK]


def every_of(sandwich: Data) -> Data | None:
    """The bound over every adversary, unless it was refused."""
    every = sandwich["upper_every"]
    return None if every.get("refused") or every.get("value") is None else every


def policy_name(certificate: Data) -> str:
    """What to call the policy."""
    policy = certificate["policy"]
    return policy.get("source") or f"a {policy['kind']} policy"
