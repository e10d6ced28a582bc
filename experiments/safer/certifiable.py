"""Training for certifiability on Ball-Circle: reward against the certified radius.

    python -m experiments.safer.certifiable weight-3 --seed 0
    python -m experiments.safer.certifiable --picture

A trial is a training of CVPO with constant action noise and the penalty on the enclosed shift of
the mean, with the noise in the cost critic too. It begins with the weights of a packaged policy,
whose noise depended on the observation. Its record holds what benign episodes of the stochastic
policy say: no certificate (`safer-gym certify` makes one of the model), but all that a certificate
over every adversary depends on. docs/certifiable.md is the table of all of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.env_util import make_vec_env

from experiments.safer.certifiable_picture import draw
from experiments.safer.indicated import benign, budgets, summary
from safer_gym.agents import CVPO
from safer_gym.agents.training.recipes import RECIPES
from safer_gym.choices import choose
from safer_gym.conformance import provenance
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.files import write_json
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.tasks import find_task

TASK, START = "ball-circle", "ball-circle/safer"
RECIPE = RECIPES[TASK]["cvpo"]["kwargs"]
RECORDS = Path("experiments/results/certifiable")

SHORT: dict[str, Any] = {
    "buffer_size": 100_000,
    "batch_size": 128,
    "n_particles": 8,
    "gradient_steps": 200,
    "cost_action": "sample",
    "cost_limit": 1.0,
    "certified_eps": 0.01,
    "certified_end": 0.5,
}
"""Of every trial: small updates, and a limit on the cost of the noisy policy that leaves room."""
WEIGHTS = (0.0, 1.0, 3.0, 10.0, 30.0)
NOISE = {"min_std": 0.4, "init_std": 0.5, "max_std": 0.6}
TRIALS: dict[str, dict[str, Any]] = {
    **{f"weight-{weight:g}": {"certified_weight": weight} for weight in WEIGHTS},
    **{f"wide-{weight:g}": {"certified_weight": weight, "std": 0.8} for weight in WEIGHTS},
    **{f"strict-{weight:g}": {"certified_weight": weight, "max_lam": 30.0} for weight in WEIGHTS},
}
"""By name: constructor arguments in the place of `SHORT`; `std` is the deviation of the noise."""


def agent_of(name: str, seed: int) -> CVPO:
    """The agent of a trial before it learns."""
    options = SHORT | TRIALS[choose("trial", name, TRIALS)]
    std = options.pop("std", NOISE["init_std"])
    actor = {"covariance": "constant"} | {k: v * std / 0.5 for k, v in NOISE.items()}
    recipe = RECIPE | {"policy_kwargs": RECIPE["policy_kwargs"] | {"actor_kwargs": actor}}
    env = make_vec_env(find_task(TASK).make, RECIPES[TASK]["cvpo"]["n_envs"], seed)
    agent = CVPO("MlpPolicy", env, seed=seed, device="cpu", **recipe | options)
    trained: Any = load_policy(START).policy
    known = trained.policy.state_dict()
    own = agent.policy.state_dict()
    agent.policy.load_state_dict(own | {key: known[key] for key in own.keys() & known.keys()})
    return agent


def trial(name: str, seed: int, steps: int, episodes: int) -> dict[str, Any]:
    """Train, measure, and save the model in runs/certifiable."""
    agent, started = agent_of(name, seed), time.process_time()
    agent.learn(steps, log_interval=None)
    trained = time.process_time() - started
    agent.save(Path("runs/certifiable") / f"{name}-{seed}.zip")
    found = benign(agent, episodes, seed=31_337)
    obs = torch.as_tensor(found.obs[0])
    return {
        "trial": name,
        "options": SHORT | TRIALS[name],
        "seed": seed,
        "start": START,
        "timesteps": agent.num_timesteps,
        "std": [round(std, 3) for std in agent.actor.distribution(obs).scale[0].detach().tolist()],
        "training_cpu_s": round(trained, 1),
        **summary(found, budgets(agent, found)),
        **provenance.record(),
        "command": f"python -m experiments.safer.certifiable {name} --seed {seed} "
        f"--timesteps {steps} --episodes {episodes}",
    }


def main() -> None:
    """Run a trial and write its record, or draw all records."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name", nargs="?", default="")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--timesteps", type=int, default=16_000)
    options.add_argument("--episodes", type=int, default=100)
    options.add_argument("--picture", action="store_true", help="draw the records there are")
    arguments = options.parse_args()
    one_thread()
    if arguments.name:
        found = trial(arguments.name, arguments.seed, arguments.timesteps, arguments.episodes)
        write_json(RECORDS / f"{arguments.name}-{arguments.seed}.json", found)
    if arguments.picture:
        (RECORDS / "reward.svg").write_text(draw(RECORDS), encoding="utf-8")


if __name__ == "__main__":
    main()
