"""The command `certify`: one certificate, its reports, and the verdict as exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.signature import read_key, signed
from safer_gym.conformance.certify.entry import certify
from safer_gym.conformance.certify.replay import replay_options
from safer_gym.conformance.cli.environments import EnvWords, environment_of
from safer_gym.conformance.cli.measure import parse_numbers, parse_radii, parse_scale, whole_box
from safer_gym.conformance.cli.output import print_json, stderr
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.summary import print_summary
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.workers import workers_of
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.report.certificate import write_reports
from safer_gym.wrappers.tasks import TASKS

SHARES = (0.02, 0.04, 0.1, 0.2, 0.5, 1.0)
"""Radii of a certificate without requirements, as shares of the task's own."""


def run_certify(
    model: str,
    env: EnvWords,
    out: Path | None,
    *,
    trust: bool,
    vec_normalize: str,
    as_json: bool,
    eps: str,
    requirement: list[str],
    scale: str,
    action_noise: str,
    observation_noise: str,
    sign: Path | None = None,
    workers: int | None = None,
    ray: str = "",
    **options: Any,
) -> None:
    """Certify a policy, write what was asked for, and exit with the verdict's code.

    Raises:
        typer.Exit: with 1 for FAIL, 2 for INCONCLUSIVE.
    """
    one_thread()
    key = None if sign is None else read_key(sign, "private")
    found = environment_of(model, env, trust=trust)
    loaded = load_policy(model, trust=trust, vec_normalize=vec_normalize or None)
    radii = parse_radii(eps)
    if not requirement and found.name in TASKS:
        # A registered task: its own limit, and radii up to the one its policies train against.
        if options["channel"] in (None, "observation"):
            radii = radii or tuple(share * found.eps for share in SHARES)
        elif options["channel"] == "disturbance":
            radii = radii or (whole_box(found, "disturbance"),)
        if options["limit"] is None:
            options["limit"] = found.cost_limit
    with workers_of(workers, ray) as computing, Bar() as bar:
        certificate = certify(
            loaded.policy,
            found,
            requirement=requirement,
            eps=radii or None,
            source=model,
            scale=parse_scale(scale),
            action_noise=parse_numbers("--action-noise", action_noise) or None,
            observation_noise=parse_numbers("--observation-noise", observation_noise) or None,
            progress=bar.update,
            workers=computing,
            **options,
        )
    if out is not None:
        named = replay_options(model, found, vec_normalize)
        certificate = certificate.naming(str(out / "certificate.json"), *named)
    if key is not None:
        certificate = signed(certificate, key)
    if out is not None:
        certificate.save(out / "certificate.json")
        write_reports(certificate.to_json(), out)
        stderr.print(f"written to {out}", highlight=False)
    if as_json:
        print_json(certificate.to_json())
    else:
        print_summary(certificate)
    finish(certificate)


def finish(certificate: Certificate) -> None:
    """Exit with the verdict's code, where requirements were given.

    Raises:
        typer.Exit: unless all hold, or nothing was asked.
    """
    if certificate.requirements and certificate.exit_code:
        raise typer.Exit(certificate.exit_code)
