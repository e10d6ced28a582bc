"""The commands `diff`, `verify`, `report` and `replay`: what to do with certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import typer

from safer_gym.choices import choose
from safer_gym.conformance.battery import NULL
from safer_gym.conformance.certificate.diff import diff, exit_code
from safer_gym.conformance.certificate.record import Certificate, EpisodeOfNote
from safer_gym.conformance.certificate.requirement import MODES
from safer_gym.conformance.certificate.signature import read_key, why_not_signed
from safer_gym.conformance.certificate.view import NO_ATTACK, name_of
from safer_gym.conformance.certify.replay import noted, recorded, replay
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.cli.environments import EnvWords
from safer_gym.conformance.cli.output import print_json
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.formatting import printable
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies
from safer_gym.conformance.report.certificate import FORMS, write_reports
from safer_gym.wrappers.tasks import TASKS


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
            typer.echo(printable(f"{change.kind}: {change.what}"))
        if not changes:
            typer.echo("no difference that the episodes can tell")
    if code := exit_code(changes):
        raise typer.Exit(code)


def run_verify(path: Path, public_key: Path | None, *, as_json: bool, trust: bool = False) -> None:
    """Check hash and signature, and derive every bound again from the recorded episodes.

    Raises:
        typer.Exit: with 1 where something does not follow.
    """
    certificate = Certificate.load(path, changed=True)
    problems = verify(certificate, trust=trust)
    if public_key is not None:
        reason = why_not_signed(certificate, read_key(public_key, "public"))
        problems = (*problems, *([reason] if reason else []))
    if as_json:
        print_json(list(problems))
    else:
        for problem in problems:
            typer.echo(printable(f"wrong: {problem}"))
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
                attack = NULL if self.attack in NO_ATTACK else self.attack
                return recorded(certificate, attack, self.eps, self.number, mode)
            return noted(certificate, self.episode)
        except IndexError as error:
            raise ValueError(str(error)) from error


def run_replay(
    path: Path,
    model: str,
    env: EnvWords,
    which: Which,
    cache: Path | None,
    *,
    trust: bool,
    vec_normalize: str = "",
) -> None:
    """Run a recorded episode again and hold it against the record.

    A certificate is untrusted input: what it names is looked up among the packaged policies and
    tasks, and never as a path, a module or an id of another package's environment.

    Raises:
        typer.Exit: with 1 where it went otherwise.
        ValueError: neither the user nor the certificate names the policy or the environment.
    """
    one_thread()
    certificate = Certificate.load(path)
    note = which.note(certificate)
    task = env.task() if env.env else env.task(_own_environment(certificate))
    source = model or _own_policy(certificate)
    policy = load_policy(source, trust=trust, vec_normalize=vec_normalize or None).policy
    again = replay(certificate, policy, task.make, note, cache=cache)
    attack = printable(name_of(note.attack))
    typer.echo(
        f"{attack} at eps {note.eps:g}, {note.mode} policy, seed {note.seed}: "
        f"cost {again.cost:g} (recorded {note.cost:g}), reward {again.reward:.4g} "
        f"(recorded {note.reward:.4g})"
    )
    if again.cost != note.cost:
        raise typer.Exit(GATE_REFUSED)


def _own_policy(certificate: Certificate) -> Path:
    """The packaged policy that a certificate names."""
    source = certificate.policy.source
    if source not in packaged_policies():
        raise ValueError(
            f"the certificate's policy is {source!r}, not a packaged one: pass it as --model"
        )
    return packaged_path(source)


def _own_environment(certificate: Certificate) -> str:
    """The id of the registered task that a certificate names."""
    known = {task.env_id.rpartition(":")[2]: task.env_id for task in TASKS.values()}
    name = certificate.environment.id
    if name not in known:
        raise ValueError(
            f"the certificate's environment is {name!r}, no registered task: pass it as --env"
        )
    return known[name]
