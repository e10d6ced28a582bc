"""Options and help texts of `attack`, `evaluate` and `tasks`."""

from __future__ import annotations

from typing import Annotated

import typer

from safer_gym.conformance.cli.options import (
    Algorithm,
    AttackCache,
    Channel,
    CostOption,
    EnvArg,
    EnvOption,
    Episodes,
    Eps,
    Json,
    LearningSteps,
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


def attack(
    model: Model,
    env: EnvOption = "",
    attacks: Annotated[
        str,
        typer.Option(
            help="Attacks, comma-separated. iterated_mc first learns critics of MODEL for minutes; "
            "safety_adversary, performance_adversary and cost_adversary learn a best response."
        ),
    ] = "mc,mr",
    eps: Eps = "",
    norm: Norm = "linf",
    episodes: Episodes = 20,
    seed: Seed = 0,
    algorithm: Algorithm = "",
    trust: Trust = False,
    as_json: Json = False,
    vec_normalize: VecNormalizeFile = "",
    units: Units = "raw",
    channel: Channel = "observation",
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
    cache: AttackCache = "",
    learning_steps: LearningSteps = None,
    scale: Scale = "",
    workers: Workers = None,
    ray: Ray = "",
) -> None:
    """Attack a policy and print its reward and cost beside those without an attack."""
    given = typed(locals())
    from safer_gym.conformance.cli.measure import run_measure

    run_measure(**given | {"attacks": f"natural,{attacks}"})


def evaluate(
    model: Model,
    env: EnvOption = "",
    attacks: Annotated[
        str, typer.Option(help="Attacks, comma-separated; natural is none.")
    ] = "natural,mc,mr",
    eps: Eps = "",
    norm: Norm = "linf",
    episodes: Episodes = 50,
    seed: Seed = 0,
    algorithm: Algorithm = "",
    max_cost: Annotated[
        float | None, typer.Option(help="Exit with 1 if the worst mean cost is above this.")
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
    vec_normalize: VecNormalizeFile = "",
    units: Units = "raw",
    channel: Channel = "observation",
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
    cache: AttackCache = "",
    learning_steps: LearningSteps = None,
    scale: Scale = "",
    workers: Workers = None,
    ray: Ray = "",
) -> None:
    """Measure a policy without and under attack; with --max-cost it is a gate for CI."""
    given = typed(locals())
    from safer_gym.conformance.cli.measure import run_measure

    run_measure(**given)


def tasks(as_json: Json = False) -> None:
    """List the tasks: sizes, horizon, radius of the attack, packaged policies."""
    from safer_gym.conformance.cli.tasks import run_tasks

    run_tasks(as_json=as_json)
