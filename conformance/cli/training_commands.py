"""Options and help texts of `demo`, `train` and `prior`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safer_gym.conformance.cli.options import (
    CostOption,
    EnvArg,
    EnvOption,
    Episodes,
    Json,
    MaxSteps,
    Ray,
    Workers,
    typed,
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("runs/demo"),
    full: Annotated[bool, typer.Option("--full", help="Train at the paper's size.")] = False,
    no_train: Annotated[bool, typer.Option("--no-train", help="Stop before training.")] = False,
    episodes: Episodes = 25,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    as_json: Json = False,
) -> None:
    """Attack the packaged policies on Ball-Circle, then train a safer one and attack that."""
    from safer_gym.conformance.cli.demo import run_demo

    run_demo(out, full=full, train=not no_train, episodes=episodes, seed=seed, as_json=as_json)


def train(
    task: Annotated[
        str, typer.Argument(help="The environment, e.g. ball-circle; the same as --env.")
    ] = "",
    algorithm: Annotated[
        str, typer.Option(help="A recipe: safer, safer-attacked, cvpo, ppol, adv-ppol, ...")
    ] = "safer",
    timesteps: Annotated[int, typer.Option(min=0, help="Environment steps; 0: the recipe's.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    out: Annotated[str, typer.Option(help="Folder; default runs/TASK-ALGORITHM-SEED.")] = "",
    resume: Annotated[
        bool, typer.Option(help="Go on from the checkpoint in the folder, where there is one.")
    ] = True,
    overlap: Annotated[
        bool,
        typer.Option("--overlap", help="Collect in a second process during the updates."),
    ] = False,
    as_json: Json = False,
    env: EnvOption = "",
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
    cost_limit: Annotated[
        float | None, typer.Option(help="Cost that an episode may have; default: the recipe's.")
    ] = None,
    eps: Annotated[
        float | None, typer.Option(help="Radius of the attacks in training; default: the recipe's.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Several trainings, e.g. 0,1,2, each in a folder OUT-SEED.")
    ] = "",
    workers: Workers = None,
    ray: Ray = "",
) -> None:
    """Train a policy; a checkpoint every half minute, and running it again resumes."""
    given = typed(locals(), env=env or task)
    from safer_gym.conformance.cli.train import run_train

    del given["task"]
    run_train(**given)


def prior(
    data: Annotated[str, typer.Argument(help="Offline data in DSRL's columns: .npz or .hdf5.")],
    out: Annotated[str, typer.Option(help="Folder for prior.pt and the checkpoint.")],
    updates: Annotated[int, typer.Option(help="Steps of the optimiser.")] = 5000,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    unsafe_weight: Annotated[
        float, typer.Option(help="Weight of unsafe actions in the loss; 0 is PARROT's loss.")
    ] = 1.0,
    unsafe_term: Annotated[
        str, typer.Option(help="What bounds unsafe actions' part: floor, or the paper's freeze.")
    ] = "floor",
    floor: Annotated[
        float,
        typer.Option(help="Unsafe actions less likely than that, in nats, are let be."),
    ] = -10.0,
    kl_weight: Annotated[
        float, typer.Option(help="Weight of the safety variable's KL; below 1 it says more.")
    ] = 1.0,
    window: Annotated[
        int, typer.Option(help="Observations that the safety variable is inferred from.")
    ] = 16,
    safety_size: Annotated[
        int, typer.Option(help="Size of the safety variable; 0 does without (PARROT).")
    ] = 8,
    labels: Annotated[
        str, typer.Option(help="Steps with cost that count as unsafe: every, onset or recovery.")
    ] = "every",
    flow: Annotated[str, typer.Option(help="coupling, or zuko's realnvp or nsf.")] = "coupling",
    safe_share: Annotated[
        float, typer.Option(help="Share of safe data within the bound eta on latent actions.")
    ] = 0.85,
    eta_0: Annotated[
        float, typer.Option("--eta-0", help="Where Algorithm 3, as printed, begins its search.")
    ] = 3.0,
    held_out: Annotated[
        str, typer.Option(help="Data that AUC and eta are measured on; default: the training's.")
    ] = "",
    tensorboard: Annotated[str, typer.Option(help="Folder for TensorBoard's log.")] = "",
    as_json: Json = False,
) -> None:
    """Train a skill prior on offline data; running it again resumes."""
    from safer_gym.agents.skills.train import PriorTraining
    from safer_gym.conformance.cli.prior import run_prior

    run_prior(
        Path(data),
        Path(out),
        options={"window": window, "safety_size": safety_size, "flow": flow},
        training=PriorTraining(
            updates=updates,
            learning_rate=learning_rate,
            seed=seed,
            unsafe_weight=unsafe_weight,
            unsafe_term=unsafe_term,
            floor=floor,
            kl_weight=kl_weight,
            labels=labels,
        ),
        safe_share=safe_share,
        eta_0=eta_0,
        held_out=Path(held_out) if held_out else None,
        tensorboard=Path(tensorboard) if tensorboard else None,
        as_json=as_json,
    )
