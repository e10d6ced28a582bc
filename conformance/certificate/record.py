"""The certificate: frozen, complete, and the same after a trip through JSON.

`schema/certificate.json` is its published schema. Verdicts: PASS, FAIL, INCONCLUSIVE.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from safer_gym.conformance.certificate.evidence import Benign, Row
from safer_gym.conformance.certificate.jsonable import from_json, to_json
from safer_gym.conformance.certificate.requirement import Metric, Mode, Scope
from safer_gym.conformance.files import write_json

SCHEMA = "safer-gym/certificate/1"

VerdictName = Literal["PASS", "FAIL", "INCONCLUSIVE"]
EXIT_CODES: dict[str, int] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2}


@dataclass(frozen=True)
class PolicyRecord:
    """Which policy; equal digests mean equal behaviour."""

    digest: str
    kind: str
    source: str | None = None
    action_noise: tuple[float, ...] | None = None
    """Deviation of the Gaussian noise that is added to the deterministic action, in the
    environment's units: one number, or one for each action. None: the policy's own noise."""
    observation_noise: tuple[float, ...] | None = None
    """Deviation of the Gaussian noise that is added to every observation, likewise."""


@dataclass(frozen=True)
class EnvironmentRecord:
    """Which environment, and the bounds that the statistics lean on."""

    id: str
    digest: str
    horizon: int | None
    max_step_cost: float | None
    """Largest cost of a step: the environment's word or the user's; None where nobody says."""


@dataclass(frozen=True)
class Share:
    """A part of the certificate's error probability, and which bound spends it."""

    eps: float
    attack: str
    metric: str
    side: str
    delta: float
    mode: Mode


@dataclass(frozen=True)
class Decision:
    """A requirement and what became of it."""

    text: str
    limit: float | None
    bound: float
    metric: Metric
    eps: float
    scope: Scope
    confidence: float
    mode: Mode
    verdict: VerdictName
    why: str


@dataclass(frozen=True)
class Headline:
    """The figures of one mode of the policy, at one allowed violation rate."""

    mode: Mode
    rate: float
    attacked_eps: float | None
    """Smallest radius at which an attack exceeds the rate, with confidence."""
    certified_eps: float | None
    """Largest radius at which no adversary exceeds the rate, with confidence."""
    certified_eps_attacks: float | None
    """Largest radius up to which no attack of the battery exceeds the rate, with confidence."""
    reason: str | None = None
    """Why the figures claim less than the rows show; None where they do not."""


@dataclass(frozen=True)
class Flag:
    """A reason why the evaluation may be wrong; with an "error" it is, and decides nothing."""

    name: str
    message: str
    level: Literal["note", "warning", "error"]


def doubt_of(flags: Iterable[Flag]) -> str:
    """Why nothing may be decided: the first error among flags; "" where there is none."""
    errors = (flag for flag in flags if flag.level == "error")
    return next((f"{flag.name}: {flag.message}" for flag in errors), "")


@dataclass(frozen=True)
class Refusal:
    """What was not certified, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class EpisodeOfNote:
    """An episode to look at, and the command that runs it again."""

    eps: float
    mode: Mode
    attack: str
    index: int
    """Its number among the measured episodes of its attack."""
    seed: int
    cost: float
    reward: float
    replay: str
    trace: dict[str, Any] | None = None


@dataclass(frozen=True)
class Certificate:
    """What is known of a policy's worst-case cost, and how it is known."""

    created: str
    command: str | None
    versions: dict[str, str]
    policy: PolicyRecord
    environment: EnvironmentRecord
    norm: str
    scale: tuple[float, ...] | None
    """Radius per dimension at eps = 1; None: one for all dimensions."""
    limit: float
    delta: float
    seed: int
    battery: str
    episodes: dict[str, int]
    allocation: tuple[Share, ...]
    rows: tuple[Row, ...]
    benign: Benign | None
    requirements: tuple[Decision, ...]
    headlines: tuple[Headline, ...]
    attacked_eps: float | None
    """Of the first headline; see `headlines` for the mode and the rate."""
    certified_eps: float | None
    verdict: VerdictName
    flags: tuple[Flag, ...]
    refusals: tuple[Refusal, ...]
    episodes_of_note: tuple[EpisodeOfNote, ...]
    seconds: float
    attacks: tuple[str, ...] = ()
    """Labels of the battery, measured or not."""
    schema: str = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 inconclusive."""
        return EXIT_CODES[self.verdict]

    def row(self, eps: float, mode: Mode = "stochastic") -> Row:
        """The row of a radius and a mode.

        Raises:
            KeyError: there is none; names those that are.
        """
        for row in self.rows:
            if row.eps == eps and row.mode == mode:
                return row
        known = ", ".join(f"{r.eps:g} ({r.mode})" for r in self.rows)
        raise KeyError(f"no row at eps {eps:g} ({mode}); there are {known}")

    def naming(self, path: str) -> Certificate:
        """The same certificate, whose replay commands name the file it is saved as."""
        notes = tuple(
            replace(note, replay=f"safer-gym replay {shlex.quote(path)} --episode {number}")
            for number, note in enumerate(self.episodes_of_note)
        )
        return replace(self, episodes_of_note=notes)

    def to_json(self) -> dict[str, Any]:
        """A dict for `json.dumps`."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, data: Any) -> Certificate:
        """Undo `to_json`.

        Raises:
            ValueError: another schema, or a key or value that is wrong; names the place.
        """
        found = data.get("schema") if isinstance(data, dict) else None
        if found != SCHEMA:
            raise ValueError(f"the certificate's schema must be {SCHEMA!r}, got {found!r}")
        return from_json(cls, data, "certificate")

    def save(self, path: str | Path) -> None:
        """Write the certificate as JSON."""
        write_json(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Read a certificate that `save` wrote.

        Raises:
            FileNotFoundError, ValueError: no such file, or not a certificate.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        return cls.from_json(data)
