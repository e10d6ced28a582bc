"""More borders: DRAC, skills, the shield, policies that draw, trainings, comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import shield_toys
import torch
from certify_toys import Line, homing_network
from drac_toys import SMALL, envs, short
from stable_baselines3.common.env_util import make_vec_env

from fuzz.borders import ADVERSARY, Border, kinds, nothing
from safer_gym import wrappers
from safer_gym.agents import DRAC
from safer_gym.agents.drac.options import (
    CollectionOptions,
    MultiplierOptions,
    SafetyOptions,
    UpdateOptions,
)
from safer_gym.agents.skills import PriorShape, PriorTraining
from safer_gym.agents.training.plan import planned
from safer_gym.bounds import Affine, OptionLayers
from safer_gym.conformance.compare import compare
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers.policies.stochastic import noisy_policy, softmax_policy
from safer_gym.wrappers.tasks import find_task

MODEL = {"coordinates": {"x": (0, 1.0), "v": (1, 1.0)}, "h": {"x": (-3, 3), "v": (-3, 3)}}


def disturbed(env: Any, word: str = "env") -> dict[str, Any]:
    return {word: env, "attack": "uniform", "eps": 0.1}


def shielded() -> dict[str, Any]:
    shield = wrappers.Shield.fit(shield_toys.Line, eps=0.01, episodes=4, rounds=1, **MODEL)
    return {"env": shield_toys.Line(), "shield": shield}


DRAC_KINDS = kinds(
    not_negative="learning_rate shield_margin",
    at_least_one="buffer_size batch_size",
    count="learning_starts verbose",
    share="tau gamma",
    flag="adversary shield",
    seed="seed",
)

NEWER = [
    Border(
        "SafetyOptions",
        SafetyOptions,
        nothing,
        kinds(
            flag="safety_policy",
            share="safety_discount_start safety_discount anneal_share",
            number="region_margin",
            name="safety_target safety_aggregation outside",
        ),
    ),
    Border(
        "MultiplierOptions",
        MultiplierOptions,
        nothing,
        kinds(
            name="constraint multiplier_loss",
            positive="max_lam",
            at_least_one="multiplier_delay",
            number="constraint_margin",
            not_negative="rho augmented_rate multiplier_lr",
        ),
    ),
    Border(
        "CollectionOptions",
        CollectionOptions,
        nothing,
        kinds(share="safety_share wide_share", not_negative="exploration_noise"),
    ),
    Border(
        "UpdateOptions",
        UpdateOptions,
        nothing,
        kinds(at_least_one="policy_delay", number="target_entropy", positive="max_grad_norm"),
    ),
    Border(
        "DRAC",
        DRAC,
        lambda: {"policy": "MlpPolicy", "env": envs(1), **SMALL},
        DRAC_KINDS,
        ("seed",),
    ),
    *(
        Border(
            f"{kind}DisturbanceAdversary",
            getattr(wrappers, f"{kind}DisturbanceAdversary"),
            make,
            {key: value for key, value in ADVERSARY.items() if key != "units"},
            ("every", "seed", "total_steps", "norm"),
        )
        for kind, make in (
            ("", lambda: disturbed(short())),
            ("Vector", lambda: disturbed(gym.vector.SyncVectorEnv([short]))),
            ("Vec", lambda: disturbed(make_vec_env(short), "venv")),
        )
    ),
    Border(
        "PriorShape",
        PriorShape,
        lambda: {"observation_shape": (2,), "action_size": 2},
        kinds(
            at_least_one="action_size window layers hidden",
            count="safety_size",
            name="flow",
        ),
    ),
    Border(
        "PriorTraining",
        PriorTraining,
        nothing,
        kinds(
            at_least_one="updates batch_size",
            not_negative="learning_rate unsafe_weight kl_weight blur clip",
            number="floor",
            seed="seed",
            name="labels unsafe_term",
        ),
    ),
    Border(
        "Shield.fit",
        wrappers.Shield.fit,
        lambda: {"make_env": shield_toys.Line, "eps": 0.01, "episodes": 4, "rounds": 1, **MODEL},
        kinds(
            not_negative="eps margin",
            name="norm",
            at_least_one="episodes rounds max_steps",
            seed="seed",
        ),
    ),
    Border("ShieldedEnv", wrappers.ShieldedEnv, shielded, kinds(not_negative="penalty")),
    Border(
        "softmax_policy",
        softmax_policy,
        lambda: {"policy": OptionLayers((Affine(torch.eye(2), torch.zeros(2)),), (2,), False)},
        kinds(positive="temperature"),
    ),
    Border(
        "noisy_policy",
        noisy_policy,
        lambda: {"policy": homing_network(), "std": 0.1},
        kinds(free_radii="std"),
    ),
    Border(
        "planned",
        planned,
        lambda: {
            "task": find_task("Pendulum-v1"),
            "algorithm": "cvpo",
            "out": Path("/no/such/folder"),
        },
        kinds(count="timesteps", seed="seed", name="algorithm", flag="overlap"),
    ),
    Border(
        "find_task",
        find_task,
        lambda: {"name": "double-integrator"},
        kinds(name="name", at_least_one="max_steps"),
        ("max_steps",),
    ),
    Border(
        "evaluate, radii by entry",
        evaluate,
        lambda: {
            "policy": homing_network(),
            "make_env": Line,
            "attacks": ["uniform"],
            "eps": 0.05,
            "n_episodes": 1,
        },
        kinds(radii="scale", at_least_one="learning_steps"),
    ),
    Border(
        "compare",
        compare,
        lambda: {
            "a": [homing_network()],
            "b": [homing_network()],
            "make_env": Line,
            "attacks": ["uniform"],
            "eps": 0.05,
            "limit": 2.0,
            "n_episodes": 2,
            "search_episodes": 1,
        },
        kinds(
            radii="eps",
            number="limit",
            not_negative="margin",
            name="metric",
            at_least_one="n_episodes search_episodes",
            probability="confidence",
            seed="seed",
        ),
    ),
]
