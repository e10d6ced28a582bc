"""The commands' options and help texts; the work is done in modules imported on call."""

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
) -> None:
    """Train a policy; a checkpoint every half minute, and running it again resumes."""
    from safer_gym.conformance.cli.train import run_train

    run_train(
        environment_words(env or task, cost, max_steps, env_arg),
        algorithm,
        timesteps=timesteps,
        seed=seed,
        out=out,
        resume=resume,
        overlap=overlap,
        as_json=as_json,
        cost_limit=cost_limit,
        eps=eps,
    )


def prior(
    data: Annotated[str, typer.Argument(help="Offline data in DSRL's columns: .npz or .hdf5.")],
    out: Annotated[str, typer.Option(help="Folder for prior.pt and the checkpoint.")],
    updates: Annotated[int, typer.Option(help="Steps of the optimiser.")] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    unsafe_weight: Annotated[
        float, typer.Option(help="Weight of unsafe actions in the loss; 0 is PARROT's loss.")
    ] = 1.0,
    safety_size: Annotated[
        int, typer.Option(help="Size of the safety variable; 0 does without (PARROT).")
    ] = 8,
    labels: Annotated[
        str, typer.Option(help="Steps with cost that count as unsafe: every, or the onset.")
    ] = "every",
    flow: Annotated[str, typer.Option(help="coupling, or zuko's realnvp or nsf.")] = "coupling",
    safe_share: Annotated[
        float, typer.Option(help="Share of safe data within the bound eta on latent actions.")
    ] = 0.85,
    tensorboard: Annotated[str, typer.Option(help="Folder for TensorBoard's log.")] = "",
    as_json: Json = False,
) -> None:
    """Train a skill prior on offline data; running it again resumes."""
    from safer_gym.agents.skills.train import PriorTraining
    from safer_gym.conformance.cli.prior import run_prior

    run_prior(
        Path(data),
        Path(out),
        options={"safety_size": safety_size, "flow": flow},
        training=PriorTraining(
            updates=updates, seed=seed, unsafe_weight=unsafe_weight, labels=labels
        ),
        safe_share=safe_share,
        tensorboard=Path(tensorboard) if tensorboard else None,
        as_json=as_json,
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
) -> None:
    """Attack a policy and print its reward and cost beside those without an attack."""
    asked = f"natural,{attacks}"
    evaluate(
        model,
        env,
        asked,
        eps,
        norm,
        episodes,
        seed,
        algorithm,
        None,
        trust=trust,
        as_json=as_json,
        vec_normalize=vec_normalize,
        units=units,
        channel=channel,
        cost=cost,
        max_steps=max_steps,
        env_arg=env_arg,
        cache=cache,
        learning_steps=learning_steps,
        scale=scale,
    )


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
) -> None:
    """Measure a policy without and under attack; with --max-cost it is a gate for CI."""
    from safer_gym.conformance.cli.measure import run_measure

    run_measure(
        model,
        environment_words(env, cost, max_steps, env_arg),
        attacks,
        eps,
        norm,
        episodes,
        seed,
        algorithm,
        max_cost,
        trust=trust,
        as_json=as_json,
        vec_normalize=vec_normalize,
        units=units,
        channel=channel,
        cache=cache,
        learning_steps=learning_steps,
        scale=scale,
    )


def tasks(as_json: Json = False) -> None:
    """List the tasks: sizes, horizon, radius of the attack, packaged policies."""
    from safer_gym.conformance.cli.tasks import run_tasks

    run_tasks(as_json=as_json)


def environment_words(env: str, cost: str, max_steps: int | None, env_arg: list[str] | None) -> Any:
    """The options that name an environment, as one value."""
    from safer_gym.conformance.cli.environments import EnvWords

    return EnvWords(env, cost, max_steps, tuple(env_arg or ()))


CertificatePath = Annotated[Path, typer.Argument(help="A certificate.json.", exists=True)]


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
    workers: Annotated[int, typer.Option(min=1, help="Processes; change no result.")] = 1,
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
    from safer_gym.conformance.cli.certify import run_certify

    run_certify(
        model,
        environment_words(env, cost, max_steps, env_arg),
        out,
        trust=trust,
        as_json=as_json,
        vec_normalize=vec_normalize,
        units=units,
        eps=eps,
        requirement=requirement or [],
        limit=limit,
        norm=norm,
        scale=scale,
        modes={"": None, "both": ("deterministic", "stochastic")}.get(modes, (modes,)),
        action_noise=action_noise,
        observation_noise=observation_noise,
        battery=battery,
        budget=budget or None,
        episodes=episodes,
        benign_episodes=benign_episodes,
        max_step_cost=max_step_cost,
        workers=workers,
        seed=seed,
        cache=cache,
        sign=sign,
        channel=channel or None,
    )


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
) -> None:
    """Check a certificate's hash, and derive every bound again from the episodes it records."""
    from safer_gym.conformance.cli.certificates import run_verify

    run_verify(certificate, public_key, as_json=as_json)


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
    from safer_gym.conformance.cli.certificates import Which, run_replay

    which = Which(episode, attack, eps, index, mode)
    words = environment_words(env, cost, max_steps, env_arg)
    run_replay(certificate, model, words, which, cache, trust=trust, vec_normalize=vec_normalize)


def doctor(as_json: Json = False) -> None:
    """Say what is installed and with how many threads it runs, and try it for ten seconds."""
    from safer_gym.conformance.cli.doctor import run_doctor

    run_doctor(as_json=as_json)


def selfcheck(
    areas: Annotated[
        str, typer.Option(help="Some areas, comma-separated, e.g. theory,statistics; default all.")
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="The evidence of each check.")] = False,
    as_json: Json = False,
) -> None:
    """Try this installation against closed forms.

    Random problems and wrong versions of the code are in the repository's tests, not in here.
    """
    from safer_gym.conformance.cli.selfcheck import run_selfcheck

    run_selfcheck(areas, as_json=as_json, verbose=verbose)
