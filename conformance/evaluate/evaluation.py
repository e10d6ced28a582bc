"""Meet a policy with attacks: the same starts for every attack, many episodes in lockstep.

outcomes = evaluate(model, make_env, ["natural", "mc", "mr"], eps=0.05)
worst = max(o.mean_cost for o in outcomes)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.attacks import ATTACKS, has_gradient, lacking, make_attack, traits_of
from safer_gym.attacks.traits import GRADIENT
from safer_gym.balls import UNITS
from safer_gym.choices import choose
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.episodes import worst_of
from safer_gym.conformance.evaluate.fitted_critics import CriticFitter
from safer_gym.conformance.evaluate.learned_attacks import LEARNED, learn_attack
from safer_gym.conformance.evaluate.outcomes import Outcomes, Trace
from safer_gym.conformance.evaluate.parts import Played, Setting, play
from safer_gym.conformance.evaluate.seat import Seat, seat_and_ball, seat_for
from safer_gym.conformance.loading import as_policy
from safer_gym.conformance.statistics import repeated_run
from safer_gym.conformance.workers.pool import Workers, as_workers
from safer_gym.domains import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, SEED, require, require_array
from safer_gym.progress import told
from safer_gym.types import Attack, Channel
from safer_gym.wrappers.gate.ends import check_ends
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.gate.probes import first_observation
from safer_gym.wrappers.packed import in_numbers
from safer_gym.wrappers.policies.trained_behind import check_same_layers
from safer_gym.wrappers.policies.view import PolicyView
from safer_gym.wrappers.tasks import Task, env_maker
from safer_gym.wrappers.threat import Threat, frame_stack
from safer_gym.wrappers.units import deviations, largest, scale_of
from safer_gym.wrappers.units import radius as radius_of

MakeEnv = Callable[[], gym.Env]
Progress = Callable[[str, float], None]
"""Called with the attack's name and the share of its episodes that is done, in [0, 1]."""

NATURAL = "natural"


def evaluate(
    policy: Any,
    make_env: MakeEnv | Task | str,
    attacks: Mapping[str, Attack] | Sequence[str] = (NATURAL, "mc", "mr"),
    *,
    eps: Any,
    norm: str = "linf",
    n_episodes: int = 50,
    seed: int = 0,
    n_envs: int = 25,
    workers: int | Workers = 1,
    max_steps: int | None = None,
    traces: int = 0,
    device: str = "cpu",
    progress: Progress | bool | None = None,
    vec_normalize: Any = None,
    channel: Channel = "observation",
    units: str = "raw",
    cache: Path | str | None = None,
    learning_steps: int | None = None,
    scale: Any = None,
) -> list[Outcomes]:
    """Run `n_episodes` of the policy's deterministic action under each attack.

    Attacks move raw observations, also where the policy reads normalised ones; on the other
    channels they move actions or disturb the world.

    Episode i of every attack is a new environment with `reset(seed=seed + i)`, so all attacks
    begin from the same starts. Up to `n_envs` environments step together and share one call of the
    attack and one of the policy a step; their number changes the speed and nothing else.

    Args:
        policy: Whatever `as_victim` takes (a model, a torch module, a callable), what `load_policy`
            returned, or a name for `load_policy`: a file, or "my_module:function".
        make_env: Makes one environment that puts its cost into `info["cost"]`; or a name, see
            `wrappers.tasks.find_task`.
        attacks: Names, or a mapping from a label to an attack. "natural" is no attack;
            "iterated_mc" learns critics of the policy first, for minutes; "cost_adversary",
            "performance_adversary" and "safety_adversary" learn a best response to it, which
            maximises its cost, minimises its reward or minimises `info["h"]`. A policy without the
            critics that a named attack needs gets learned ones, and the attack is "mc fitted".
        eps: Radius of the ball around what is moved, a number or one for each dimension; for Dict
            observations also a dict of either by key. Entries of whole numbers (pixels) stay whole.
        norm: "linf", "l2" or "l1".
        n_episodes: Episodes of each attack.
        seed: Seed of episode 0.
        n_envs: Environments alive at once in each worker, at most 25.
        workers: Number of processes, or `RayWorkers`; changes the speed and nothing else.
        max_steps: Cut longer episodes here; None leaves their end to the environment, and refuses
            one without an end.
        traces: How many of the first episodes to record for pictures.
        device: Where the policy computes.
        progress: True shows a bar; a function is called now and then with the attack's label and
            the share done.
        vec_normalize: The VecNormalize that the policy was trained behind, or its file; None
            takes the one that is attached to the model, False takes none.
        channel: What the attacks move: "observation", "action", or "disturbance" of an
            environment that can be disturbed.
        units: What `eps` counts. "raw": units of the environment's observations, also where the
            policy reads normalised ones. "normalised": standard deviations of its VecNormalize.
        cache: Folder for the adversaries that are learned; None keeps none.
        learning_steps: Environment steps in which an attack learns; None: its own default.
        scale: Radius of each entry of the observation at eps = 1, where they differ: an array, or
            for Dict observations a dict of numbers or arrays by key. Keys that it does not name
            are not attacked.

    Raises:
        AdversaryError: an attack that leaves its ball or returns something else than asked.
        ValueError: an argument out of range, an attack that needs what the policy does not have,
            a step without cost, a value that is not finite, or a policy that cannot be measured:
            see `wrappers.gate.policy.admit`.
    """
    require(AT_LEAST_ONE, n_episodes=n_episodes, n_envs=n_envs)
    require(AT_LEAST_ONE.or_none, max_steps=max_steps, learning_steps=learning_steps)
    require(COUNT, traces=traces)
    require(SEED, seed=seed)
    computing = as_workers(workers)
    seed = int(seed)  # environments refuse numpy's
    learning: dict[str, Any] = {"channel": channel, "cache": cache}
    if learning_steps is not None:
        learning["timesteps"] = learning_steps
    named = named_attacks(attacks)
    make_env = env_maker(make_env)
    view, stack = _met(policy, make_env, vec_normalize, seed, device)
    raw = _raw(eps, choose("units", units, UNITS), scale, channel, view)
    seat, ball = seat_and_ball(make_env, view, channel, norm, raw)
    threat = _threat(view, stack, eps, raw) if channel == "observation" else None
    view, make_env = in_numbers(view, make_env)
    by_name = not isinstance(attacks, Mapping)
    _check_runnable(named, view, seat, by_name=by_name)
    if max_steps is None:
        check_ends(make_env, seed)
    if by_name:
        with told(progress) as telling:
            named = CriticFitter(view, make_env, seed, _said(telling), seat.rows).led(named)
    outcomes = []
    with EnvPool(make_env) as env_pool, told(progress) as telling:
        for label, attack in named.items():
            started = perf_counter()
            if isinstance(attack, str):
                if telling is not None:
                    telling(f"{label} learns", 0.0)
                attack = learn_attack(
                    attack, view, make_env, eps=raw, norm=norm, seed=seed, **learning
                )
            setting = Setting(
                view, label, attack, ball, seat, env_pool, seed, device, n_envs, max_steps, traces
            )
            say = None if telling is None else partial(telling, label)
            episodes = play(setting, n_episodes, computing, say)
            radius = 0.0 if label == NATURAL else largest(eps)
            found = _gather(label, radius, norm, episodes, perf_counter() - started)
            words = () if threat is None else threat.words([radius])
            outcomes.append(found._replace(channel=channel, units=units, threat=words))
    return outcomes


def _raw(eps: Any, units: str, scale: Any, channel: Channel, view: PolicyView) -> Any:
    """The radius of each entry in the environment's units."""
    for value in eps.values() if isinstance(eps, Mapping) else [eps]:
        require_array(NOT_NEGATIVE, eps=value)
    assert view.layout is not None
    if units == "raw" and scale is None:
        is_dict = isinstance(eps, Mapping) and channel == "observation"
        return radius_of(view.layout, eps, np.ones(())) if is_dict else eps
    if channel != "observation":
        name = "scale" if units == "raw" else "units='normalised'"
        raise ValueError(f"{name} is about observations, not about the {channel}")
    if units == "raw":
        unit = scale_of(view.layout, scale)
    elif scale is None:
        unit = deviations(view.layout, view.normaliser)
    else:
        raise ValueError("scale or units='normalised', not both: the deviations are the scale")
    assert unit is not None
    return radius_of(view.layout, eps, unit)


def _threat(view: PolicyView, stack: str, eps: Any, raw: Any) -> Threat:
    """What the radius does not say."""
    assert view.layout is not None
    unit = radius_of(view.layout, raw, np.ones(())) / (largest(eps) or 1.0)
    return Threat(view.layout, unit, stack, view.recurrence is not None)


def named_attacks(attacks: Mapping[str, Attack] | Sequence[str]) -> dict[str, Attack | str]:
    """Attacks by their labels; "natural" moves nothing, and those to be learned stay names.

    Raises:
        ValueError: for an unknown name, with the nearest one.
        TypeError: for a single str.
    """
    if isinstance(attacks, str):
        raise TypeError(
            f"attacks must be a sequence of names or a mapping, got the str {attacks!r}"
        )
    if isinstance(attacks, Mapping):
        return dict(attacks)
    names = [choose("attacks", name, (NATURAL, *ATTACKS, *LEARNED)) for name in attacks]
    return {
        name: name if name in LEARNED else make_attack("null" if name == NATURAL else name)
        for name in names
    }


def fitter_for(
    named: Mapping[str, Attack | str],
    view: PolicyView,
    make_env: MakeEnv,
    channel: Channel,
    seed: int,
    say: Callable[[str], None],
) -> CriticFitter:
    """Who learns the critics that attacks by name need, after a look whether each can run at all.

    Raises:
        ValueError: says what an attack needs, or that it moves something else.
    """
    numbers, make_numbers = in_numbers(view, make_env)
    seat = seat_for(make_numbers, channel, numbers.victim().memory)
    _check_runnable(named, numbers, seat, by_name=True)
    rows = seat_for(make_env, channel, view.victim().memory).rows
    return CriticFitter(view, make_env, seed, say, rows)


def _check_runnable(
    named: Mapping[str, Attack | str], view: PolicyView, seat: Seat, *, by_name: bool
) -> None:
    """Refuse, before anything runs, what the policy cannot be attacked by; critics are learned for
    attacks that have names."""
    turn = seat.begin(view.victim(), view.example_row)
    victim = seat.rows.view(view.victim())
    climbs = has_gradient(victim, turn.centre)
    # A critic of disturbances is the policy's own, or there is none.
    by_name = by_name and seat.channel != "disturbance"
    for label, attack in named.items():
        asks = LEARNED[attack] if isinstance(attack, str) else attack
        only = traits_of(asks).channel
        if only not in (None, seat.channel):
            raise ValueError(f"{label} moves {only}s; it is no attack on the {seat.channel}")
        missing = lacking(asks, victim, has_gradient=climbs)
        if missing and not (by_name and GRADIENT not in missing):
            raise ValueError(
                f"attack {label!r} needs the policy's {' and '.join(missing)}, which it does not "
                "have; missing critics are learned for attacks by name, and 'random_search' needs "
                "no gradient"
            )


def _said(progress: Progress | None) -> Callable[[str], None]:
    return (lambda text: None) if progress is None else (lambda text: progress(text, 0.0))


def admitted(policy: Any, make_env: MakeEnv, vec_normalize: Any, seed: int) -> PolicyView:
    """The view of a policy that can be evaluated in these environments.

    Raises:
        ValueError: a policy that cannot be measured, or observations that cannot be packed.
    """
    return _met(policy, make_env, vec_normalize, seed, "cpu")[0]


def _met(
    policy: Any, make_env: MakeEnv, vec_normalize: Any, seed: int, device: str
) -> tuple[PolicyView, str]:
    """The view of an admitted policy, and the wrapper that stacks frames, if any."""
    policy, given = as_policy(policy, vec_normalize)
    with closing(make_env()) as env:
        check_same_layers(policy, env)
        space, actions, stack = env.observation_space, env.action_space, frame_stack(env)
        obs = first_observation(env, int(seed))  # environments refuse numpy's
    view = admit(policy, space, actions, vec_normalize=given, around=obs, device=device)
    return view, stack


def _gather(
    label: str, eps: float, norm: str, episodes: Sequence[Played], seconds: float
) -> Outcomes:
    if repeat := repeated_run([episode.digest for episode in episodes]):
        warnings.warn(
            f"{label}: {repeat.length} episodes repeat those of other seeds, step by step (those "
            f"from {repeat.again} on are those from {repeat.first} on): they are not independent",
            stacklevel=3,
        )
    return Outcomes(
        attack=label,
        eps=eps,
        norm=norm,
        returns=np.array([e.reward for e in episodes]),
        costs=np.array([e.cost for e in episodes]),
        lengths=np.array([e.length for e in episodes], dtype=np.int64),
        worst_h=worst_of(episodes),
        seconds=seconds,
        traces=tuple(e.trace for e in episodes if isinstance(e.trace, Trace)),
    )
