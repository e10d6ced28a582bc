"""The certificate: frozen, complete, and the same after a trip through JSON.

`schema/certificate.json` is its published schema. Verdicts: PASS, FAIL, INCONCLUSIVE.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from safer_gym.choices import choose
from safer_gym.conformance.certificate.evidence import Benign, Row
from safer_gym.conformance.certificate.jsonable import SPARSE, from_json, shown, to_json
from safer_gym.conformance.certificate.model_evidence import ModelEvidence
from safer_gym.conformance.certificate.requirement import METRICS, Metric, Mode, Scope
from safer_gym.conformance.certificate.sandwiches import paint_sandwiches
from safer_gym.conformance.certificate.seal import SCHEMA, SCHEMAS, UNSEALED, content_hash
from safer_gym.conformance.certificate.view import modes_of
from safer_gym.conformance.figures.canvas import plotted
from safer_gym.conformance.figures.columns import name_zones
from safer_gym.conformance.files import write_json
from safer_gym.conformance.untrusted import read_json
from safer_gym.types import Channel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    normaliser: str | None = None
    """SHA-256 of the statistics that its observations are normalised by; None: it reads raw ones.
    They are part of `digest`."""


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
    channel: Channel = "observation"
    kind: str = field(default="", metadata=SPARSE)
    """Of a requirement given a model: which kind of evidence carried its verdict."""


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
    certified_eps_given_model: float | None = field(default=None, metadata=SPARSE)
    """Largest radius at which no adversary exceeds the rate, given the model of the shield."""


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


EVERY_ADVERSARY = "{mode} policy, every adversary"
"""What is refused where a mode has no bound over every adversary."""
NO_MODE = "the {mode} policy"
"""What is refused where the policy lacks a mode that was asked for."""
LEFT_OUT = "attack {label!r}"
"""What is refused where the battery cannot run an attack."""
BEYOND = "{channel}s beyond the {channel} space"
"""What is refused where the space is bounded: the ball is cut by its bounds."""
NO_MEAN = "upper ends of the mean"
"""What is refused where nobody knows the largest cost of an episode."""


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
    """Radius per dimension at eps = 1, in raw units; None: one for all dimensions."""
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
    unlearned: tuple[str, ...] = ()
    """Labels of those that the battery lacks, because there was no time to learn what they need."""
    units: str = "raw"
    """What eps counts: "raw" units of the observation, times `scale`; or "normalised", deviations
    of the policy's normaliser, which are the `scale`."""
    channel: Channel = "observation"
    """What the adversary moves."""
    model: ModelEvidence | None = field(default=None, metadata=SPARSE)
    """What holds given the model of the policy's shield; None where it has none."""
    schema: str = SCHEMA
    content_hash: str | None = None
    """SHA-256 of all the rest but the signature; see `seal`. None: of the schema before."""
    signature: str | None = None
    """Ed25519 signature over the content hash, in hexadecimal digits; see `signature`."""

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

    def naming(self, path: str, *options: str) -> Certificate:
        """The same certificate, whose replay commands name the file it is saved as.

        Args:
            options: of the command `replay`, where the file alone does not say enough; none: those
                that the commands have.
        """
        if not options and self.episodes_of_note:
            options = tuple(shlex.split(self.episodes_of_note[0].replay)[5:])
        notes = tuple(
            replace(note, replay=replay_command(path, number, *options))
            for number, note in enumerate(self.episodes_of_note)
        )
        return replace(self, episodes_of_note=notes).sealed()

    def sealed(self) -> Certificate:
        """The same certificate with a hash of what it holds now, and without a signature."""
        bare = replace(self, schema=SCHEMA, content_hash=None, signature=None)
        plain = from_json(Certificate, to_json(bare), "certificate")
        return replace(plain, content_hash=content_hash(to_json(plain)))

    @property
    def why_broken(self) -> str:
        """Why the content hash is not that of what the certificate holds; "" where it is."""
        if self.schema == UNSEALED:
            return ""
        if self.content_hash is None:
            return "the certificate carries no content hash"
        try:
            same = self.content_hash == content_hash(self.to_json())
        except ValueError:  # a number that is not finite
            same = False
        words = "the content hash is another: the certificate was changed after it was made"
        return "" if same else words

    def to_json(self) -> dict[str, Any]:
        """A dict for `json.dumps`."""
        found = dict(to_json(self))
        if self.schema == UNSEALED:
            del found["content_hash"], found["signature"]
        return found

    @classmethod
    def from_json(cls, data: Any) -> Certificate:
        """Undo `to_json`.

        Raises:
            ValueError: another schema, or a key or value that is wrong; names the place.
        """
        found = data.get("schema") if isinstance(data, dict) else None
        if found not in SCHEMAS:
            raise ValueError(f"the certificate's schema must be {SCHEMA!r}, got {shown(found)}")
        if found == SCHEMA:
            return from_json(cls, data, "certificate", strict=True)
        for key in ("content_hash", "signature"):
            if key in data:
                raise ValueError(f"a certificate of {UNSEALED} has no {key}")
        return from_json(cls, data, "certificate")

    def plot(
        self, metric: Metric = "rate", mode: Mode | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the bounds by radius: what was reached, what is open, what is excluded.

        Args:
            metric: "rate", the probability that the cost exceeds the limit, or "mean".
            mode: "deterministic" or "stochastic"; the first that was certified by default.
            ax: Axes to draw on; those of a new figure by default.

        Raises:
            ValueError: an unknown metric, or a mode that was not certified.
            ModuleNotFoundError: matplotlib is not installed.
        """
        data = self.to_json()
        choose("metric", metric, METRICS)
        modes = modes_of(data)
        if not modes:
            raise ValueError("the certificate has no rows to plot")
        chosen = choose("mode", mode or modes[0], modes)

        def paint(ax: Axes) -> None:
            paint_sandwiches(ax, data, chosen, metric)
            name_zones(ax)

        return plotted(paint, ax)

    def save(self, path: str | Path) -> None:
        """Write the certificate as JSON."""
        write_json(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path, *, changed: bool = False) -> Certificate:
        """Read a certificate that `save` wrote. A certificate is untrusted input.

        Args:
            changed: read it even if its content hash is not that of what it holds; see
                `why_broken`.

        Raises:
            FileNotFoundError, ValueError: no such file, not a certificate, or a changed one.
        """
        certificate = cls.from_json(read_json(path))
        if certificate.why_broken and not changed:
            raise ValueError(f"{path}: {certificate.why_broken}")
        return certificate


REPLAY_OPTIONS = ("--model", "--env", "--cost", "--max-steps", "--env-arg", "--vec-normalize")
"""What a replay command may say beside the file and the episode: no --trust."""


def replay_command(path: str, number: int, *options: str) -> str:
    """The command that runs an episode of note again."""
    return shlex.join(["safer-gym", "replay", path, "--episode", str(number), *options])
