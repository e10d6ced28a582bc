"""Options that several commands share, and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Model = Annotated[
    str,
    typer.Argument(
        help="A model file (.zip, .onnx, ...), a packaged policy such as ball-circle/cvpo, or "
        "my_module:function."
    ),
]
EnvOption = Annotated[
    str,
    typer.Option(
        "--env",
        "--task",
        help="A task of `safer-gym tasks`, a Gymnasium id, my_package:MyEnv-v0 or "
        "my_module:make_env; modules of the current folder are found.",
    ),
]
CostOption = Annotated[
    str,
    typer.Option(
        "--cost",
        help="my_module:function of (obs, action, next_obs, info), or a key of info; default: "
        "cost.",
    ),
]
MaxSteps = Annotated[
    int | None, typer.Option("--max-steps", min=1, help="Cut the environment's episodes here.")
]
EnvArg = Annotated[
    list[str] | None,
    typer.Option("--env-arg", help="key=value for the environment; may be repeated."),
]
Eps = Annotated[
    str,
    typer.Option(
        help="Radii of the attack, e.g. 0.01,0.05; default: the task's, or the whole box of "
        "disturbances."
    ),
]
Norm = Annotated[str, typer.Option(help="linf, l2 or l1.")]
Channel = Annotated[
    str, typer.Option(help="What attacks move: observation, action or disturbance.")
]
AttackCache = Annotated[str, typer.Option("--cache", help="Folder for what attacks learn.")]
LearningSteps = Annotated[
    int | None,
    typer.Option(min=1, help="Environment steps in which an attack learns; default: its own."),
]
Episodes = Annotated[int, typer.Option(min=1, help="Episodes under each attack.")]
Seed = Annotated[
    int, typer.Option(min=0, help="Seed of the first episode; all attacks share the starts.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
Algorithm = Annotated[str, typer.Option(help="What MODEL must hold, e.g. sac; another is refused.")]

Trust = Annotated[
    bool, typer.Option("--trust", help="Allow code that the model file carries to run.")
]

VecNormalizeFile = Annotated[
    str,
    typer.Option(
        "--vec-normalize",
        help="File of the VecNormalize that MODEL was trained behind, or none; default: the one "
        "beside it.",
    ),
]

Units = Annotated[
    str,
    typer.Option(help="What eps counts: raw, or normalised (deviations of MODEL's VecNormalize)."),
]

Scale = Annotated[
    str,
    typer.Option(
        help="Radius at eps = 1 of each entry of what is moved, or of each key of Dict "
        "observations as in image=2,pos=0.1; all alike: 1."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes, or jobs at once on a Ray cluster; changes no result. Default: 1, or the "
        "cluster's CPUs.",
    ),
]
Ray = Annotated[str, typer.Option(help="A Ray cluster: its address, auto, or local for one here.")]
CertificatePath = Annotated[Path, typer.Argument(help="A certificate.json.", exists=True)]


def typed(given: dict[str, Any], *, env: str = "") -> dict[str, Any]:
    """A command's options by name, with those that name an environment as one value, `env`.

    Args:
        given: the command's `locals()`, before it has others than its options.
        env: the environment's name where it is not the option's.
    """
    from safer_gym.conformance.cli.environments import EnvWords

    named, cost, steps, more = (given.pop(k) for k in ("env", "cost", "max_steps", "env_arg"))
    return {**given, "env": EnvWords(env or named, cost, steps, tuple(more or ()))}
