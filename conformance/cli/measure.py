"""The commands `evaluate` and `attack`, and the measuring that `demo` shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import typer

from safer_gym import __version__
from safer_gym.choices import choose
from safer_gym.conformance.cli.environments import EnvWords
from safer_gym.conformance.cli.models import ModelFile, find_model, load_model
from safer_gym.conformance.cli.output import plain, print_json, print_outcomes, refuse
from safer_gym.conformance.cli.progress import Bar, Reporter
from safer_gym.conformance.cli.refusals import GATE_REFUSED
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.cli.workers import workers_of
from safer_gym.conformance.evaluate.cache import OutcomesCache
from safer_gym.conformance.evaluate.evaluation import (
    NATURAL,
    admitted,
    evaluate,
    fitter_for,
    named_attacks,
)
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.evaluate.seat import moved_space
from safer_gym.conformance.workers.pool import Workers
from safer_gym.domains import NOT_NEGATIVE, NUMBER, SEED, require, require_array
from safer_gym.types import CHANNELS, Channel
from safer_gym.wrappers.gate.ends import check_ends
from safer_gym.wrappers.tasks import Task


class Plan(NamedTuple):
    """Which attacks a policy meets: each at each radius, and no attack once."""

    attacks: tuple[str, ...]
    eps: tuple[float, ...]
    norm: str
    episodes: int
    seed: int
    traces: int = 0
    units: str = "raw"
    channel: Channel = "observation"
    cache: str = ""
    """Folder of the adversaries that are learned."""
    learning_steps: int | None = None
    scale: tuple[float, ...] | dict[str, float] | None = None

    def jobs(self) -> Iterator[tuple[str, float]]:
        """Pairs of attack and radius."""
        for attack in self.attacks:
            for eps in (0.0,) if attack == NATURAL else self.eps:
                yield attack, eps


def run_measure(
    model: str,
    env: EnvWords,
    attacks: str,
    eps: str,
    algorithm: str,
    *,
    max_cost: float | None = None,
    trust: bool,
    as_json: bool,
    vec_normalize: str,
    channel: str,
    scale: str,
    workers: int | None,
    ray: str,
    **options: Any,
) -> None:
    """Measure one policy, print the result, and refuse it if it costs more than `max_cost`.

    Args:
        options: the rest of the plan: norm, episodes, seed, units, cache, learning_steps.

    Raises:
        ValueError: no radius on a channel for which the task has none.
        typer.Exit: with code 1, the worst mean cost is above `max_cost`.
    """
    one_thread()
    require(SEED, seed=options["seed"])
    require(NUMBER.or_none, max_cost=max_cost)
    file = find_model(model, algorithm, env, trust=trust, vec_normalize=vec_normalize)
    found = file.task
    moved = choose("channel", channel, CHANNELS)
    radii = parse_radii(eps)
    radii = radii or (whole_box(found, moved),)
    plan = Plan(parse_names(attacks), radii, channel=moved, scale=parse_scale(scale), **options)
    with workers_of(workers, ray) as computing, Bar() as bar:
        outcomes = measure(file, found, plan, bar, workers=computing)
    _print(file, found, outcomes, max_cost, as_json=as_json)
    worst = max(outcomes, key=lambda o: o.mean_cost)
    if max_cost is not None and worst.mean_cost > max_cost:
        refuse(
            f"refused: mean cost {worst.mean_cost:.2f} under {worst.attack} at eps {worst.eps:g} "
            f"is above {max_cost:g}"
        )
        raise typer.Exit(GATE_REFUSED)


def measure(
    file: ModelFile,
    task: Task,
    plan: Plan,
    bar: Reporter,
    cache: OutcomesCache | None = None,
    workers: int | Workers = 1,
) -> list[Outcomes]:
    """Run the plan's jobs; those that `cache` knows are not run again."""
    cache = cache or OutcomesCache(None)
    named = named_attacks(plan.attacks)
    policy, fitter, outcomes = None, None, []
    jobs = list(plan.jobs())
    for done, (attack, eps) in enumerate(jobs):
        inputs = _inputs(file, task, plan, attack, eps)
        known = cache.load(inputs)
        if known is None:
            if fitter is None:
                policy = admitted(load_model(file), task.make, None, plan.seed)
                check_ends(task.make, plan.seed)
                fitter = fitter_for(named, policy, task.make, plan.channel, plan.seed, bar.say)
            met = fitter.led({attack: named[attack]})

            def told(attack: str, share: float, done: int = done) -> None:
                bar.update(file.name, (done + share) / len(jobs), attack)

            known = _run(policy, task, plan, met, eps, told, workers)
            cache.store(inputs, known)
        outcomes.append(known)
        bar.update(file.name, (done + 1) / len(jobs))
    return outcomes


def parse_names(text: str) -> tuple[str, ...]:
    """A comma-separated list, each name once.

    >>> parse_names("mc, mr,mc")
    ('mc', 'mr')

    Raises:
        ValueError: it holds no name.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ValueError(f"attacks must name at least one attack, got {text!r}")
    return names


def parse_radii(text: str) -> tuple[float, ...]:
    """A comma-separated list of radii; empty for an empty text.

    Raises:
        ValueError: not a number, or negative.
    """
    radii = parse_numbers("eps", text)
    require_array(NOT_NEGATIVE.or_none, eps=radii or None)
    return radii


def parse_scale(text: str) -> tuple[float, ...] | dict[str, float] | None:
    """A radius for each entry, as numbers, or for each key of Dict observations; None: all alike.

    >>> parse_scale("image=2, pos=0.1")
    {'image': 2.0, 'pos': 0.1}

    Raises:
        ValueError: neither numbers nor key=number.
    """
    if "=" not in text:
        return parse_numbers("--scale", text) or None
    pairs = [part.partition("=") for part in text.split(",")]
    radii = {key.strip(): parse_numbers(f"--scale {key}", value) for key, _, value in pairs}
    if len(radii) < len(pairs):
        raise ValueError(f"--scale must name each key once, got {text!r}")
    if wrong := [key for key, value in radii.items() if len(value) != 1]:
        raise ValueError(f"--scale must give each key one number, as in image=2,pos=0.1; {wrong}")
    return {key: value[0] for key, value in radii.items()}


def parse_numbers(name: str, text: str) -> tuple[float, ...]:
    """Comma-separated numbers; none for an empty text.

    Raises:
        ValueError: not numbers.
    """
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"{name} must be numbers such as 0.01,0.05, got {text!r}") from None


def _run(
    policy: Any,
    task: Task,
    plan: Plan,
    attacks: Mapping[str, Any],
    eps: float,
    progress: Callable[[str, float], None],
    workers: int | Workers,
) -> Outcomes:
    return evaluate(
        policy,
        task.make,
        attacks,
        eps=eps,
        norm=plan.norm,
        units=plan.units,
        n_episodes=plan.episodes,
        seed=plan.seed,
        traces=plan.traces,
        progress=progress,
        channel=plan.channel,
        cache=plan.cache or None,
        learning_steps=plan.learning_steps,
        scale=plan.scale,
        workers=workers,
    )[0]


def whole_box(task: Task, channel: Channel) -> float:
    """The radius where none is given: the task's of observations; all that may disturb it.

    Raises:
        ValueError: on the action channel, for which no task has one.
    """
    if channel == "observation":
        return task.eps
    if channel == "action":
        raise ValueError("eps must be given on the action channel; the task's is of observations")
    with closing(task.make()) as env:
        box = moved_space(env, channel)
    return float(max(abs(box.low).max(), abs(box.high).max()))


def _inputs(file: ModelFile, task: Task, plan: Plan, attack: str, eps: float) -> dict[str, Any]:
    return {
        **file.digests,
        "task": task.env_id,
        **task.changes,
        "attack": attack,
        "eps": eps,
        "norm": plan.norm,
        "units": plan.units,
        "episodes": plan.episodes,
        "seed": plan.seed,
        "traces": plan.traces,
        "version": __version__,
        **({} if plan.channel == "observation" else {"channel": plan.channel}),
        **({} if plan.learning_steps is None else {"learning_steps": plan.learning_steps}),
        **({} if plan.scale is None else {"scale": plan.scale}),
    }


def _print(
    file: ModelFile, task: Task, outcomes: list[Outcomes], max_cost: float | None, *, as_json: bool
) -> None:
    if not as_json:
        channel = outcomes[0].channel
        where = "" if channel == "observation" else f", attacks on the {channel}"
        print_outcomes(f"{file.name} on {task.env_id}{where}", [(file.name, o) for o in outcomes])
        for sentence in dict.fromkeys(text for o in outcomes for text in o.threat):
            print(plain(sentence))
        return
    worst = max(o.mean_cost for o in outcomes)
    print_json(
        {
            "model": file.name,
            "algorithm": file.algorithm,
            "task": task.env_id,
            "worst_mean_cost": worst,
            "max_cost": max_cost,
            "passed": max_cost is None or worst <= max_cost,
            "outcomes": [o.to_json() for o in outcomes],
        }
    )


def parse_whole(name: str, text: str) -> tuple[int, ...]:
    """Comma-separated whole numbers, each once; none for an empty text.

    >>> parse_whole("seeds", "0, 2,2")
    (0, 2)

    Raises:
        ValueError: not whole numbers >= 0.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"\d+", part) for part in parts):
        raise ValueError(f"{name} must be whole numbers such as 0,1,2, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))
