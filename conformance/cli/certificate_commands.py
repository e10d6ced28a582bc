"""Options and help texts of `certify`, `diff`, `verify`, `report` and `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safer_gym.conformance.cli.options import (
    CertificatePath,
    CostOption,
    EnvArg,
    EnvOption,
    Json,
    MaxSteps,
    Model,
    Norm,
    Ray,
    Scale,
    Seed,
    Trust,
    Units,
    VecNormalizeFile,
    Workers,
    typed,
)


def certify(
    model: Model,
    env: EnvOption = "",
    requirement: Annotated[
        list[str] | None,
        typer.Option(help="A sentence, or a TOML file of requirements; may be repeated."),
    ] = None,
    eps: Annotated[str, typer.Option(help="Radii, e.g. 0.01,0.05.")] = "",
    limit: Annotated[float | None, typer.Option(help="Cost above which an episode fails.")] = None,
    norm: Norm = "linf",
    scale: Scale = "",
    modes: Annotated[str, typer.Option(help="deterministic, stochastic or both.")] = "",
    action_noise: Annotated[
        str, typer.Option(help="Certify the mean action plus this Gaussian noise, e.g. 0.3.")
    ] = "",
    observation_noise: Annotated[
        str, typer.Option(help="Certify the policy behind this Gaussian observation noise.")
    ] = "",
    battery: Annotated[str, typer.Option(help="quick, standard or full.")] = "standard",
    budget: Annotated[str, typer.Option(help="Time, e.g. 120s or 10m.")] = "",
    episodes: Annotated[int, typer.Option(min=1, help="Most episodes of each attack.")] = 200,
    benign_episodes: Annotated[
        int | None,
        typer.Option(min=1, help="Most episodes without an attack; default 20 times --episodes."),
    ] = None,
    max_step_cost: Annotated[
        float | None, typer.Option(help="Largest cost of a step, if the environment says none.")
    ] = None,
    workers: Workers = None,
    ray: Ray = "",
    seed: Seed = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for what the battery learns.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for certificate and reports.")] = None,
    sign: Annotated[
        Path | None, typer.Option(help="Sign with this Ed25519 private key, a PEM file.")
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
    vec_normalize: VecNormalizeFile = "",
    units: Units = "raw",
    channel: Annotated[
        str,
        typer.Option(
            help="What the adversary moves: observation, action or disturbance; default: that of "
            "the requirements, or observation."
        ),
    ] = "",
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
) -> None:
    """Bound a policy's worst-case cost under attack; exit 0 pass, 1 fail, 2 inconclusive."""
    given = typed(locals())
    from safer_gym.conformance.cli.certify import run_certify

    given |= {"requirement": requirement or [], "budget": budget or None}
    given |= {"channel": channel or None}
    given["modes"] = {"": None, "both": ("deterministic", "stochastic")}.get(modes, (modes,))
    run_certify(**given)


def diff(old: CertificatePath, new: CertificatePath, as_json: Json = False) -> None:
    """Hold a certificate against an earlier one; exit 1 if something got worse, 2 if it may."""
    from safer_gym.conformance.cli.certificates import run_diff

    run_diff(old, new, as_json=as_json)


def verify(
    certificate: CertificatePath,
    public_key: Annotated[
        Path | None, typer.Option(help="Demand a signature by this Ed25519 key, a PEM file.")
    ] = None,
    as_json: Json = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Import the function that a shield has as its model.")
    ] = False,
) -> None:
    """Check a certificate's hash, and derive every bound again from the episodes it records."""
    from safer_gym.conformance.cli.certificates import run_verify

    run_verify(certificate, public_key, as_json=as_json, trust=trust)


def report(
    certificate: CertificatePath,
    out: Annotated[Path, typer.Option(help="Folder of the reports.")] = Path("."),
    forms: Annotated[str, typer.Option(help="html,markdown,badge,junit,sarif; default all.")] = "",
) -> None:
    """Write a certificate's reports."""
    from safer_gym.conformance.cli.certificates import run_report

    run_report(certificate, out, forms)


def replay(
    certificate: CertificatePath,
    episode: Annotated[int, typer.Option(help="Number among the episodes of note.")] = 0,
    attack: Annotated[
        str, typer.Option(help="Any other episode: its attack, 'natural' for none; with --index.")
    ] = "",
    eps: Annotated[float, typer.Option(help="That episode's radius.")] = 0.0,
    index: Annotated[int, typer.Option(help="Its number among those of attack and radius.")] = 0,
    mode: Annotated[
        str, typer.Option(help="deterministic or stochastic; default: the first there is.")
    ] = "",
    model: Annotated[str, typer.Option(help="The policy, unless it is a packaged one.")] = "",
    env: EnvOption = "",
    cache: Annotated[Path | None, typer.Option(help="Folder of what the battery learned.")] = None,
    trust: Trust = False,
    vec_normalize: VecNormalizeFile = "",
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
) -> None:
    """Run an episode of a certificate again."""
    words = typed(locals())["env"]
    from safer_gym.conformance.cli.certificates import Which, run_replay

    which = Which(episode, attack, eps, index, mode)
    run_replay(certificate, model, words, which, cache, trust=trust, vec_normalize=vec_normalize)
