"""Everything public that takes numbers, flags or names: what it is called with, and the kinds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from agent_envs import Timed, vectorised
from certify_toys import Line, Push, homing_network
from stable_baselines3.common.env_util import make_vec_env

from fuzz.outcome import Input
from fuzz.values import BAD, good
from safer_gym import attacks, bounds, multipliers, returns, schedules, tabular, wrappers
from safer_gym.agents import CVPO, SAFER, PPOLagrangian, SACLagrangian
from safer_gym.agents.certified.options import CertifiedOptions
from safer_gym.agents.cvpo.options import EStepOptions, MStepOptions
from safer_gym.agents.options import BallOptions, CostOptions, CriticOptions
from safer_gym.agents.safer.options import ExplorationOptions, RobustOptions
from safer_gym.balls import LpBall
from safer_gym.conformance import statistics
from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.certify import certify
from safer_gym.conformance.contracts import check_cost_env, check_policy
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy


class Border(NamedTuple):
    """One public callable."""

    name: str
    call: Callable[..., Any]
    base: Callable[[], dict[str, Any]]
    """Arguments with which it works."""
    kinds: dict[str, str]
    """Argument to the kind of its values."""
    optional: tuple[str, ...] = ()
    """Arguments that may be None."""

    def inputs(self) -> Iterator[Input]:
        """All bad values of all arguments, and good ones in numpy's types."""
        defaults = {
            name: p.default
            for name, p in inspect.signature(self.call).parameters.items()
            if p.default is not p.empty
        }
        for argument, kind in self.kinds.items():
            default = defaults.get(argument, inspect.Parameter.empty)
            missing = [] if default is None or argument in self.optional else [None]
            for value in [*BAD[kind], *missing]:
                yield self._input(argument, value)
            known = self.base().get(argument, default)
            for value in good(known) if known is not inspect.Parameter.empty else []:
                yield self._input(argument, value, good=True)

    def _input(self, argument: str, value: Any, *, good: bool = False) -> Input:
        def call() -> Any:
            found = self.call(**{**self.base(), argument: value})
            close = getattr(found, "close", None)
            if callable(close):
                close()

        words = WORDS.get((self.name, argument), ())
        return Input(self.name, argument, value, call, good, words)


WORDS = {
    ("make_task", "name"): ("task",),
    ("find_task", "name"): ("name", "task"),
    ("make_attack", "name"): ("attack",),
    ("make_schedule", "name"): ("schedule",),
}
"""What a message may call an argument instead of its name."""


def nothing() -> dict[str, Any]:
    return {}


def kinds(**by_kind: str) -> dict[str, str]:
    """From kind="a b c" to {"a": kind, ...}."""
    return {name: kind for kind, names in by_kind.items() for name in names.split()}


# ------------------------------------------------------------------ the core

PROGRESS = {"progress": 0.5}
TENSORS = {
    "rewards": torch.ones(3, 1),
    "done": torch.zeros(3, 1, dtype=torch.bool),
    "next_values": torch.ones(3, 1),
    "values": torch.ones(3, 1),
    "terminated": torch.zeros(3, 1, dtype=torch.bool),
}


def tensors(function: Callable[..., Any], **others: Any) -> Callable[[], dict[str, Any]]:
    names = inspect.signature(function).parameters
    return lambda: {**{k: v for k, v in TENSORS.items() if k in names}, **others}


def cmdp() -> dict[str, Any]:
    case = next(iter(tabular.random_cases(1, 0)))
    return {"cmdp": case.cmdp, "policy": case.policy}


CORE = [
    Border("LpBall", LpBall, lambda: {"p": 2, "eps": 0.1}, kinds(free_radii="eps")),
    Border(
        "LpBall.of",
        LpBall.of,
        lambda: {"norm": "l2", "eps": 0.1},
        kinds(free_radii="eps", name="norm"),
    ),
    Border(
        "LpBall.scaled",
        LpBall(2, 0.1).scaled,
        lambda: {"fraction": 0.5},
        kinds(not_negative="fraction"),
    ),
    Border("constant", schedules.constant, lambda: PROGRESS, kinds(share="value")),
    Border("linear", schedules.linear, lambda: PROGRESS, kinds(share="start end")),
    Border(
        "exponential",
        schedules.exponential,
        lambda: PROGRESS,
        kinds(share="start end", positive="rate"),
    ),
    Border(
        "step", schedules.step, lambda: PROGRESS, kinds(share="start end", at_least_one="levels")
    ),
    Border(
        "make_schedule",
        schedules.make_schedule,
        lambda: {"name": "linear"},
        kinds(name="name", share="start end"),
    ),
    Border(
        "make_schedule step",
        schedules.make_schedule,
        lambda: {"name": "step"},
        kinds(at_least_one="levels"),
    ),
    Border(
        "gradient_multiplier_step",
        multipliers.gradient_multiplier_step,
        lambda: {"value": 1.0, "slack": 1.0, "step_size": 0.1},
        kinds(not_negative="step_size", cap="cap", number="value slack"),
    ),
    Border(
        "pid_multiplier_step",
        multipliers.pid_multiplier_step,
        lambda: {"state": multipliers.PIDState(), "error": 1.0},
        kinds(cap="cap", number="error"),
    ),
    Border(
        "cost_threshold",
        returns.cost_threshold,
        lambda: {"cost_limit": 5.0, "horizon": 10, "gamma": 0.9},
        kinds(not_negative="cost_limit", at_least_one="horizon", share="gamma"),
    ),
    Border(
        "endless_cost_threshold",
        returns.endless_cost_threshold,
        lambda: {"cost_limit": 5.0, "horizon": 10, "gamma": 0.9},
        kinds(not_negative="cost_limit", at_least_one="horizon", below_one="gamma"),
    ),
    Border(
        "discounted_sums",
        returns.discounted_sums,
        tensors(returns.discounted_sums, gamma=0.9),
        kinds(share="gamma"),
    ),
    Border(
        "generalised_advantages",
        returns.generalised_advantages,
        tensors(returns.generalised_advantages, gamma=0.9, gae_lambda=0.9),
        kinds(share="gamma gae_lambda"),
    ),
    Border(
        "AdamAscent",
        attacks.AdamAscent,
        nothing,
        kinds(positive="step_size floor", below_one="decay_first decay_second"),
    ),
    Border("RawGradient", attacks.RawGradient, nothing, kinds(positive="step_size")),
    Border(
        "Steepest",
        attacks.Steepest,
        nothing,
        kinds(positive="step_size", share_above_zero="shrink"),
    ),
    Border("GaussianNoise", attacks.GaussianNoise, nothing, kinds(positive="relative_std")),
    Border(
        "GradientAttack",
        attacks.GradientAttack,
        lambda: {"objective": attacks.MaxCost()},
        kinds(at_least_one="steps restarts", flag="random_start"),
    ),
    Border("RandomSearch", attacks.RandomSearch, nothing, kinds(at_least_one="rounds population")),
    Border("Mixture", attacks.Mixture, nothing, kinds(number="reward_weight cost_weight")),
    Border(
        "make_attack",
        attacks.make_attack,
        lambda: {
            "name": "mc",
            "steps": 3,
            "restarts": 1,
            "step_size": 0.5,
            "step_rule": "adam",
            "random_start": False,
        },
        kinds(
            name="name step_rule",
            at_least_one="steps restarts",
            positive="step_size",
            flag="random_start",
        ),
        ("step_rule", "step_size"),
    ),
    Border(
        "make_objective",
        attacks.make_objective,
        lambda: {"objective": "mc"},
        kinds(name="objective"),
    ),
    Border(
        "smoothing_bound",
        bounds.smoothing_bound,
        lambda: {"p": 0.1, "ball": LpBall(2, 0.1), "noise_std": 0.5, "shape": (2,), "steps": 3},
        kinds(share="p", not_negative="noise_std", at_least_one="steps"),
    ),
    Border(
        "gaussian_filter",
        bounds.gaussian_filter,
        lambda: {"p": 0.1, "M": 0.1},
        kinds(share="p", cap="M"),
    ),
    Border(
        "additive_bound",
        bounds.additive_bound,
        lambda: {"p": 0.1, "summed_tv": 0.1},
        kinds(cap="p summed_tv"),
    ),
    Border(
        "coupled_rate",
        bounds.coupled_rate,
        lambda: {"p": 0.1, "hazard": 0.1},
        kinds(share="p", cap="hazard"),
    ),
    Border(
        "renyi_filter",
        bounds.renyi_filter,
        lambda: {"p": 0.1, "rho": np.full(22, 0.1)},
        kinds(share="p"),
    ),
    Border(
        "coupling_bound",
        bounds.coupling_bound,
        lambda: {"kappa": 0.5, "tv": 0.1, "gamma": 0.9, "cost_max": 1.0},
        kinds(share="tv unsafe_probability", below_one="gamma", cap="kappa cost_max"),
    ),
    Border(
        "value_cap",
        bounds.value_cap,
        lambda: {"gamma": 0.9, "cost_max": 1.0},
        kinds(below_one="gamma", cap="cost_max", share="unsafe_probability"),
    ),
    Border(
        "worst_mean",
        tabular.worst_mean,
        lambda: {**cmdp(), "horizon": 3},
        kinds(at_least_one="horizon"),
    ),
    Border(
        "worst_rate",
        tabular.worst_rate,
        lambda: {**cmdp(), "horizon": 3, "limit": 1.0},
        kinds(at_least_one="horizon", not_negative="limit"),
    ),
    Border(
        "value_iteration",
        tabular.value_iteration,
        lambda: {**cmdp(), "accuracy": 1e-3},
        kinds(positive="accuracy"),
    ),
    Border(
        "line_balls",
        tabular.line_balls,
        lambda: {"n_states": 3, "eps": 1.0},
        kinds(at_least_one="n_states", not_negative="eps"),
    ),
]

# ------------------------------------------------------------------ agents

LEARNING = "learning_rate"
OFF_POLICY = kinds(
    at_least_one="buffer_size batch_size train_freq n_steps stats_window_size",
    count="learning_starts verbose",
    share="tau gamma",
    not_negative="cost_limit learning_rate",
    seed="seed",
    flag="optimize_memory_usage",
)
COST = kinds(
    at_least_one="episode_length", name="threshold_horizon cost_bootstrap cost_action missing_cost"
)
CRITICS = kinds(
    not_negative="critic_learning_rate",
    positive="max_grad_norm",
    name="reward_aggregation cost_aggregation",
)
BALL = kinds(radii="eps", name="norm units eps_schedule", share="eps_start eps_end")
CERTIFIED = kinds(
    radii="certified_eps",
    name="certified_norm certified_schedule",
    share="certified_start certified_end",
    not_negative="certified_weight",
    at_least_one="certified_states",
)
ESTEP = kinds(
    at_least_one="n_particles estep_iterations",
    positive="kl_bound_estep estep_tolerance max_lam",
    name="estep_dtype",
    share="lam_warmup",
    share_above_zero="dual_rate",
)
MSTEP = kinds(
    at_least_one="m_steps",
    positive="kl_bound_mean kl_bound_cov",
    name="kl_mode mle_scale reference",
    not_negative="multiplier_lr_mean multiplier_lr_cov multiplier_cap_mean multiplier_cap_cov",
)
ROBUST = kinds(
    name="attack adversarial_reference robust_when",
    at_least_one="attack_steps",
    positive="kl_bound_adversarial kl_bound_adversarial_cov",
    not_negative="adversarial_cap_mean adversarial_cap_cov adversarial_weight",
    flag="attack_each_m_step attacked_cost_critic vanilla_step adversarial_mle adversarial_kl",
)
EXPLORATION = kinds(
    share="attacked_share offset_share", count="offset_steps", positive="offset_scale"
)
PPO = kinds(
    at_least_one="n_steps batch_size n_epochs buffer_size critic_batch_size attack_steps",
    count="critic_updates verbose",
    share="tau gamma gae_lambda eps_start eps_end",
    not_negative="cost_limit kl_coef ent_coef vf_coef learning_rate critic_learning_rate",
    cap="max_lam",
    gains="pid_gains",
    seed="seed",
    free_radii="eps",
    name="cost_advantage cost_surrogate cost_bootstrap reward_aggregation cost_aggregation "
    "collection_attack regulariser regulariser_distance norm units eps_schedule missing_cost",
    flag="normalize_advantage",
)


def agent_env() -> dict[str, Any]:
    return {"policy": "MlpPolicy", "env": vectorised(Timed, 1), "device": "cpu"}


def agent(**options: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**agent_env(), "policy_kwargs": {"net_arch": [4]}, "buffer_size": 20, **options}


AGENTS = [
    Border("CostOptions", CostOptions, nothing, COST, ("episode_length", "cost_bootstrap")),
    Border(
        "CriticOptions",
        CriticOptions,
        nothing,
        CRITICS,
        ("critic_learning_rate", "max_grad_norm"),
    ),
    Border("BallOptions", BallOptions, nothing, {**BALL, "eps": "free_radii"}),
    Border(
        "CertifiedOptions", CertifiedOptions, nothing, CERTIFIED | {"certified_eps": "free_radii"}
    ),
    Border("EStepOptions", EStepOptions, nothing, ESTEP),
    Border("MStepOptions", MStepOptions, nothing, MSTEP),
    Border("RobustOptions", RobustOptions, nothing, ROBUST),
    Border("ExplorationOptions", ExplorationOptions, nothing, EXPLORATION),
    Border("CVPO", CVPO, agent(), OFF_POLICY),
    Border(
        "CVPO options",
        CVPO,
        agent(),
        COST | CRITICS | ESTEP | MSTEP,
        ("episode_length", "critic_learning_rate", "max_grad_norm", "cost_bootstrap"),
    ),
    Border(
        "SAFER",
        SAFER,
        agent(),
        {k: v for k, v in OFF_POLICY.items() if k != "seed"} | BALL | ROBUST | EXPLORATION,
        ("attack",),
    ),
    Border(
        "SACLagrangian",
        SACLagrangian,
        agent(),
        OFF_POLICY
        | kinds(
            name="multiplier multiplier_signal cost_aggregation",
            not_negative="multiplier_lr",
            cap="max_lam",
            gains="pid_gains",
        ),
        ("seed",),
    ),
    Border(
        "PPOLagrangian",
        PPOLagrangian,
        agent(n_steps=8, batch_size=8),
        PPO,
        (
            "critic_learning_rate",
            "collection_attack",
            "regulariser",
            "seed",
            "ent_coef",
            "eps_schedule",
        ),
    ),
]

# ------------------------------------------------------------------ wrappers

ADVERSARY = kinds(
    radii="eps", name="norm units attack", at_least_one="every total_steps", seed="seed"
)


def adversary(env: Callable[[], Any], word: str) -> Callable[[], dict[str, Any]]:
    return lambda: {word: env(), "attack": "uniform", "eps": 0.1, "policy": homing_network()}


WRAPPERS = [
    Border(
        name,
        getattr(wrappers, name),
        adversary(make, word),
        ADVERSARY,
        ("every", "seed", "total_steps", "norm", "units"),
    )
    for kind in ("Observation", "Action")
    for name, make, word in (
        (f"{kind}Adversary", Line, "env"),
        (f"Vector{kind}Adversary", lambda: gym.vector.SyncVectorEnv([Line]), "env"),
        (f"Vec{kind}Adversary", lambda: make_vec_env(Line), "venv"),
    )
] + [
    Border(
        "CostTracker",
        wrappers.CostTracker,
        lambda: {"env": Line()},
        kinds(
            not_negative="budget",
            flag="terminate_at_budget observe_budget strict record_episode",
            name="reduce",
        ),
    ),
    Border(
        "VectorCostTracker",
        wrappers.VectorCostTracker,
        lambda: {"env": gym.vector.SyncVectorEnv([Line])},
        kinds(
            not_negative="budget", flag="terminate_at_budget observe_budget strict", name="reduce"
        ),
    ),
    Border(
        "VecCostTracker",
        wrappers.VecCostTracker,
        lambda: {"venv": make_vec_env(Line)},
        kinds(not_negative="budget", flag="observe_budget strict", name="reduce"),
    ),
    Border(
        "ActionDisturbance",
        wrappers.ActionDisturbance,
        lambda: {"env": Line(), "bound": 0.1},
        kinds(radii="bound"),
    ),
    Border(
        "SmoothedPolicy",
        wrappers.SmoothedPolicy,
        lambda: {"policy": homing_network(), "noise_std": 0.1},
        kinds(free_radii="noise_std", seed="seed"),
    ),
    Border(
        "fit_critics",
        wrappers.fit_critics,
        lambda: {
            "policy": homing_network(),
            "make_env": Line,
            "n_steps": 20,
            "n_envs": 2,
            "updates": 1,
            "batch_size": 4,
        },
        kinds(
            at_least_one="n_steps n_envs updates batch_size",
            below_one="gamma",
            not_negative="noise",
            positive="learning_rate",
            radii="eps",
            name="norm attack",
            seed="seed",
        ),
    ),
    Border(
        "iterate_mc",
        wrappers.iterate_mc,
        lambda: {
            "policy": homing_network(),
            "make_env": Line,
            "eps": 0.1,
            "rounds": 1,
            "n_steps": 20,
            "n_envs": 2,
            "updates": 1,
            "batch_size": 4,
        },
        kinds(at_least_one="rounds", radii="eps", seed="seed", name="norm"),
    ),
    Border("view_of", wrappers.view_of, lambda: {"policy": homing_network()}, kinds(flag="live")),
    Border("make_task", wrappers.make_task, lambda: {"name": "ball-circle"}, kinds(name="name")),
]

# ------------------------------------------------------------------ conformance

HITS = [True, False, False, True]
VALUES = [0.1, 0.5, 0.2, 0.9]
UPPER = {"values": VALUES, "level": 0.5, "delta": 0.05, "high": 1.0}
EVALUATE = kinds(
    radii="eps",
    name="norm channel units",
    at_least_one="n_episodes n_envs max_steps",
    seed="seed",
    count="traces",
)
CERTIFY = kinds(
    radii="action_noise observation_noise scale",
    free_radii="eps",
    name="norm battery units channel modes",
    number="limit",
    at_least_one="episodes benign_episodes n_envs workers",
    probability="delta",
    positive="max_step_cost",
    seed="seed",
)


def certified() -> dict[str, Any]:
    return {
        "policy": homing_network(),
        "make_env": Line,
        "eps": 0.05,
        "limit": 2.0,
        "battery": {"push": Push()},
        "episodes": 5,
        "benign_episodes": 5,
    }


CONFORMANCE = [
    Border(
        "evaluate",
        evaluate,
        lambda: {
            "policy": homing_network(),
            "make_env": Line,
            "attacks": ["natural", "uniform"],
            "eps": 0.05,
            "n_episodes": 1,
            "n_envs": 1,
        },
        EVALUATE,
    ),
    Border("certify", certify, certified, CERTIFY, ("limit", "battery")),
    Border(
        "Requirement",
        Requirement,
        lambda: {"limit": 5.0, "rate": 0.1, "eps": 0.05},
        kinds(
            number="limit",
            probability="confidence",
            share="rate",
            not_negative="eps",
            name="scope mode metric",
        ),
        ("rate",),
    ),
    Border(
        "check_cost_env",
        check_cost_env,
        lambda: {
            "env": lambda: wrappers.make_task("double-integrator"),
            "episodes": 1,
            "max_steps": 500,
        },
        kinds(seed="seed", at_least_one="episodes max_steps"),
    ),
    Border(
        "check_policy",
        check_policy,
        lambda: {"policy": homing_network(), "make_env": Line, "rows": 4},
        kinds(seed="seed", at_least_one="rows"),
    ),
    Border("load_policy", load_policy, lambda: {"source": "ball-circle/cvpo"}, kinds(flag="trust")),
    Border(
        "binomial_lower",
        statistics.binomial_lower,
        lambda: {"k": 1, "n": 4, "delta": 0.05},
        kinds(count="k", at_least_one="n", probability="delta"),
    ),
    Border(
        "binomial_upper",
        statistics.binomial_upper,
        lambda: {"k": 1, "n": 4, "delta": 0.05},
        kinds(count="k", at_least_one="n", probability="delta"),
    ),
    Border(
        "rate_sequence",
        statistics.rate_sequence,
        lambda: {"hits": HITS, "delta": 0.05},
        kinds(probability="delta delta_upper"),
    ),
    Border(
        "mean_sequence",
        statistics.mean_sequence,
        lambda: {"values": VALUES, "high": 1.0, "delta": 0.05},
        kinds(probability="delta delta_upper", positive="high"),
    ),
    Border(
        "decide",
        statistics.decide,
        lambda: {"lower": 0.1, "upper": 0.2, "limit": 0.5},
        kinds(any_number="limit"),
    ),
    Border(
        "allocate",
        statistics.allocate,
        lambda: {"delta": 0.05, "eps": [0.1], "attacks": ["mc"]},
        kinds(probability="delta", flag="every"),
    ),
] + [
    Border(
        name,
        getattr(statistics, name),
        lambda: dict(UPPER),
        kinds(probability="level delta", positive="high"),
    )
    for name in ("cvar_upper", "dkw_cvar_upper", "dkw_quantile_upper", "quantile_upper")
]

BORDERS = [*CORE, *AGENTS, *WRAPPERS, *CONFORMANCE]
HERE = Path(__file__).parent
