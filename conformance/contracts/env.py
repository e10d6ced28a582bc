"""The contract of environments with a cost: one honest number a step, and repeatable episodes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import data_equivalence

from safer_gym import domains
from safer_gym.conformance.contracts.contract import refusals_named, require
from safer_gym.wrappers.cost_source import LARGEST
from safer_gym.wrappers.gate.global_streams import GlobalStream
from safer_gym.wrappers.gate.observations import ObservationCheck

MakeEnv = Callable[[], gym.Env]


class EnvFacts(NamedTuple):
    """What was seen of an environment under random actions."""

    horizon: int
    """Steps of the longest episode seen."""
    max_step_cost: float
    """Largest cost of a step seen; no bound of what can come."""
    clauses: tuple[str, ...]
    """Names of the clauses that were checked."""


class _Step(NamedTuple):
    obs: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def check_cost_env(
    env: gym.Env | MakeEnv, *, seed: int = 0, episodes: int = 2, max_steps: int = 10_000
) -> EnvFacts:
    """Does an environment keep what evaluation and certificates rest on?

    Five values a step, observations of the space, `info["cost"]` finite and >= 0 at every step,
    episodes that end, the same episode for the same seed and actions (whatever was done before,
    and whatever the global generators hold), nothing shared with what was returned earlier.

    Args:
        env: an environment, or better a function that makes one: only then are two compared.
        seed: of the first episode and of the random actions.
        episodes: how many are run for each clause.
        max_steps: an episode must end before.

    Raises:
        ContractError: names the first clause that is broken, and how.
    """
    domains.require(domains.SEED, seed=seed)
    seed = int(seed)  # environments refuse numpy's
    domains.require(domains.AT_LEAST_ONE, episodes=episodes, max_steps=max_steps)
    make = env if not isinstance(env, gym.Env) else lambda: env
    seeds = range(seed, seed + episodes)
    with closing(make()) as own:
        runs = []
        for name, check in _STEP_CLAUSES.items():
            with refusals_named(name, "the environment"):
                runs = [_checked_run(own, s, max_steps, check, name) for s in seeds]
        for s, run in zip(seeds, runs, strict=True):
            with refusals_named("sums agree", "the environment"):
                _sums_agree(run)
            with refusals_named("nothing shared", "the environment"):
                _run(own, s, max_steps, after=_nothing_shared)
        _repeatable(make, own, seeds, runs, max_steps)
    costs = [[float(step.info["cost"]) for step in run[1:]] for run in runs]
    return EnvFacts(
        horizon=max(map(len, costs)),
        max_step_cost=max(map(max, costs)),
        clauses=(*_STEP_CLAUSES, "ends", "sums agree", "nothing shared", *_REPEATS),
    )


Check = Callable[[gym.Env, Any, str], None]


def _checked_run(env: gym.Env, seed: int, max_steps: int, check: Check, name: str) -> list[_Step]:
    """An episode; `check` sees each raw answer."""
    return _run(env, seed, max_steps, lambda answer: check(env, answer, name))


def _run(
    env: gym.Env,
    seed: int,
    max_steps: int,
    look: Callable[[Any], None] = lambda answer: None,
    disturb: Callable[[Any], None] = lambda obs: None,
    after: Callable[[Any, _Step], None] = lambda answer, kept: None,
) -> list[_Step]:
    """One episode under seeded random actions, copied; the first entry is the reset."""
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    answer: Any = env.reset(seed=seed)
    require(
        isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict),
        "five values",
        "reset must return (obs, info)",
    )
    look((answer[0], 0.0, False, False, {**answer[1], "cost": 0.0}))
    steps = [_Step(copy.deepcopy(answer[0]), 0.0, False, False, {})]
    while not (steps[-1].terminated or steps[-1].truncated):
        require(len(steps) <= max_steps, "ends", f"no end of the episode within {max_steps} steps")
        before = answer
        disturb(before[0])
        answer = env.step(actions.sample())
        look(answer)
        after(before, steps[-1])
        steps.append(_Step(*copy.deepcopy(answer)))
    return steps


def _nothing_shared(answer: Any, kept: _Step) -> None:
    """What was returned before the last step is still what it was, `kept`."""
    clause, why = "nothing shared", "changed at the next step; return a new one each time"
    require(data_equivalence(answer[0], kept.obs), clause, f"an observation {why}")
    if "cost" in kept.info:
        require(answer[-1].get("cost") == kept.info["cost"], clause, f'info["cost"] {why}')


def _five_values(env: gym.Env, answer: Any, clause: str) -> None:
    count = len(answer) if isinstance(answer, tuple) else 0
    hint = "; wrap it in safer_gym.wrappers.SafetyGymnasiumAdapter" if count == 6 else ""
    require(count == 5, clause, f"step must return five values; got {count}{hint}")
    _, reward, terminated, truncated, info = answer
    require(
        abs(float(reward)) <= LARGEST,
        clause,
        f"the reward must be finite and fit float32; {reward!r}",
    )
    for name, value in (("terminated", terminated), ("truncated", truncated)):
        require(isinstance(value, bool | np.bool_), clause, f"{name} must be a bool; got {value!r}")
    require(isinstance(info, Mapping), clause, f"info must be a dict; got {type(info).__name__}")


def _of_the_space(env: gym.Env, answer: Any, clause: str) -> None:
    space, obs = env.observation_space, answer[0]
    fault = ObservationCheck(space, bounded=True).fault(obs)
    require(not fault, clause, f"step or reset returned an observation {fault}")
    told = f"shape {obs.shape}, {obs.dtype}" if isinstance(obs, np.ndarray) else repr(obs)[:80]
    require(space.contains(obs), clause, f"an observation is not in {space}: {told}")


def _cost(env: gym.Env, answer: Any, clause: str) -> None:
    info = answer[4]
    require(
        "cost" in info,
        clause,
        'info["cost"] is missing; wrap the environment in safer_gym.wrappers.CostTracker and tell '
        f"it where the cost is; info has {sorted(map(str, info))}",
    )
    cost = info["cost"]
    require(np.ndim(cost) == 0, clause, f'info["cost"] must be one number; got {cost!r}')
    require(
        np.isfinite(float(cost)) and float(cost) >= 0,
        clause,
        f'info["cost"] must be finite and >= 0; got {cost!r}',
    )


def _sums_agree(run: list[_Step]) -> None:
    costs = np.array([float(step.info["cost"]) for step in run[1:]])
    clause, total = "sums agree", float(costs.sum())
    told = [float(step.info.get("episode_cost", np.nan)) for step in run[1:]]
    if not np.isnan(told).all():
        agree = np.allclose(told, np.cumsum(costs))
        require(agree, clause, 'info["episode_cost"] is not the sum of info["cost"] so far')
    last = run[-1].info.get("episode", {})
    if isinstance(last, Mapping) and "c" in last:
        same = np.isclose(float(last["c"]), total)
        require(same, clause, f'info["episode"]["c"] is {last["c"]}; the costs add up to {total}')


def _repeatable(
    make: MakeEnv, own: gym.Env, seeds: range, runs: list[list[_Step]], max_steps: int
) -> None:
    """The episodes again: in the used instance, in a fresh one, with what it returned spoilt."""
    for clause, (fresh, disturb, why) in _REPEATS.items():
        env = make() if fresh else own
        try:
            for seed, run in zip(seeds, runs, strict=True):
                with refusals_named(clause, "the environment"), GlobalStream(seed):
                    _same(run, _run(env, seed, max_steps, disturb=disturb), clause, why)
        finally:
            if env is not own:
                env.close()


def _same(first: list[_Step], again: list[_Step], clause: str, why: str) -> None:
    for place, (a, b) in enumerate(zip(first, again, strict=False)):
        equal = data_equivalence(a.obs, b.obs) and a[1:4] == b[1:4]
        equal = equal and a.info.get("cost") == b.info.get("cost")
        require(equal, clause, f"step {place} differs {why}")
    require(len(first) == len(again), clause, f"the episode's length differs {why}")


def _spoil(obs: Any) -> None:
    """Overwrite what the environment returned, as an adversary in place would."""
    for value in obs.values() if isinstance(obs, Mapping) else [obs]:
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[...] = np.ones((), value.dtype)


_STEP_CLAUSES: dict[str, Check] = {
    "five values": _five_values,
    "observation of the space": _of_the_space,
    "cost": _cost,
}

_REPEATS: dict[str, tuple[bool, Callable[[Any], None], str]] = {
    "repeatable": (False, lambda obs: None, "when the seed and the actions are the same"),
    "repeatable afresh": (True, lambda obs: None, "in a new environment of the same seed"),
    "true state its own": (
        False,
        _spoil,
        "when the observation that it returned before is overwritten: the state must not live "
        "in the returned array",
    ),
}
