"""The commands `diff`, `verify`, `report` and `replay`: what to do with certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import typer

from safer_gym.choices import choose
from safer_gym.conformance.certificate.diff import diff, exit_code
from safer_gym.conformance.certificate.record import Certificate, EpisodeOfNote
from safer_gym.conformance.certificate.requirement import MODES
from safer_gym.conformance.certify.replay import noted, recorded, replay
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.cli.certify import environment_of
from safer_gym.conformance.cli.output import print_json
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.report.certificate import FORMS, write_reports


def run_diff(old: Path, new: Path, *, as_json: bool) -> None:
    """Print what changed.

    Raises:
        typer.Exit: with 1 where something surely got worse, with 2 where it may have.
    """
    changes = diff(Certificate.load(old), Certificate.load(new))
    if as_json:
        print_json([change._asdict() for change in changes])
    else:
        for change in changes:
            typer.echo(f"{change.kind}: {change.what}")
        if not changes:
            typer.echo("no difference that the episodes can tell")
    if code := exit_code(changes):
        raise typer.Exit(code)


def run_verify(path: Path, *, as_json: bool) -> None:
    """Derive every bound again from the recorded episodes.

    Raises:
        typer.Exit: with 1 where something does not follow.
    """
    problems = verify(Certificate.load(path))
    if as_json:
        print_json(list(problems))
    else:
        for problem in problems:
            typer.echo(f"wrong: {problem}")
        typer.echo("every bound follows from the episodes" if not problems else "not valid")
    if problems:
        raise typer.Exit(GATE_REFUSED)


def run_report(path: Path, out: Path, forms: str) -> None:
    """Write the reports of a certificate."""
    names = [choose("form", name.strip(), FORMS) for name in forms.split(",") if name.strip()]
    for written in write_reports(Certificate.load(path).to_json(), out, names or FORMS):
        typer.echo(written)


class Which(NamedTuple):
    """An episode of a certificate: one of note by its number, or, with an attack, any."""

    episode: int = 0
    attack: str = ""
    eps: float = 0.0
    number: int = 0
    mode: str = ""

    def note(self, certificate: Certificate) -> EpisodeOfNote:
        """Its record.

        Raises:
            ValueError: there is no such episode.
        """
        mode: Any = choose("mode", self.mode, MODES) if self.mode else None
        try:
            if self.attack:
                return recorded(certificate, self.attack, self.eps, self.number, mode)
            return noted(certificate, self.episode)
        except IndexError as error:
            raise ValueError(str(error)) from error


def run_replay(
    path: Path, model: str, task: str, which: Which, cache: Path | None, *, trust: bool
) -> None:
    """Run a recorded episode again and hold it against the record.

    Raises:
        typer.Exit: with 1 where it went otherwise.
        ValueError: nothing says which policy or environment.
    """
    one_thread()
    certificate = Certificate.load(path)
    model = model or certificate.policy.source or ""
    if not model:
        raise ValueError("the certificate does not say where its policy is; pass --model")
    name = environment_of(model, task or certificate.environment.id).env_id
    policy = load_policy(model, trust=trust).policy
    note = which.note(certificate)
    again = replay(certificate, policy, lambda: gym.make(name), note, cache=cache)
    typer.echo(
        f"{note.attack} at eps {note.eps:g}, {note.mode} policy, seed {note.seed}: "
        f"cost {again.cost:g} (recorded {note.cost:g}), reward {again.reward:.4g} "
        f"(recorded {note.reward:.4g})"
    )
    if again.cost != note.cost:
        raise typer.Exit(GATE_REFUSED)
