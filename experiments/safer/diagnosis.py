"""Where a policy under attack loses: is Q_c wrong, does the E-step find nothing, or the M-step?

    python -m experiments.safer.diagnosis runs/ball-circle-safer-0/model.zip

Episodes under the training attack on Ball-Circle, at the radius that training ended with. Q_c of
the attacked policy stands beside the measured cost-to-go; at states near the limit the action taken
under attack beside that of clean eyes and beside the E-step's.
"""

from __future__ import annotations

import argparse
import json
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.env_util import make_vec_env
from torch import Tensor

from safer_gym.agents import SAFER
from safer_gym.agents.cvpo.estep import estep_weights
from safer_gym.agents.cvpo.particles import draw_particles
from safer_gym.agents.td import aggregate
from safer_gym.agents.training_attack.observations import attacked_array
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.wrappers.tasks import find_task

TASK = "ball-circle"
EPISODES, SEED = 16, 31_337
HORIZON, COUNTED = 200, 120
"""Steps of an episode, and those of them whose cost-to-go is long enough to be compared."""
NEAR = 0.2
"""Metres to the limit that count as near."""


class Rollout(NamedTuple):
    """T steps of E episodes."""

    obs: NDArray[np.float32]
    """[T, E, O], what is true."""
    actions: NDArray[np.float32]
    """[T, E, A], what was done at what was shown."""
    costs: NDArray[np.float64]
    """[T, E]"""
    room: NDArray[np.float64]
    """[T, E], metres to the limit after the step."""


def attacked_rollout(agent: SAFER) -> Rollout:
    """Episodes in which the agent's own training attack shows it what it sees."""
    task = find_task(TASK)
    assert task.geometry is not None
    env = make_vec_env(task.make, EPISODES, SEED)
    obs, steps = env.reset(), []
    for _ in range(HORIZON):
        shown = attacked_array(agent, obs, agent.adversary)
        actions, _ = agent.predict(shown, deterministic=True)
        following, _, _, infos = env.step(actions)
        room = [task.geometry.x_limit - abs(info["position"][0]) for info in infos]
        steps.append((obs, actions, [info["cost"] for info in infos], room))
        obs = following
    env.close()
    return Rollout(*(np.array(part) for part in zip(*steps, strict=True)))


def cost_to_go(costs: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Discounted sums [T, E] of costs [T, E] from each step on."""
    found, rest = np.zeros_like(costs), np.zeros(costs.shape[1])
    for t in reversed(range(len(costs))):
        rest = costs[t] + gamma * rest
        found[t] = rest
    return found


def diagnose(agent: SAFER) -> dict[str, float]:
    """Means over the counted steps of all episodes."""
    agent._current_progress_remaining = 0.0
    met = attacked_rollout(agent)
    measured = cost_to_go(met.costs, agent.gamma)[:COUNTED].ravel()
    obs, taken = (torch.as_tensor(part[:COUNTED]).flatten(0, 1) for part in met[:2])
    near = met.room[:COUNTED].ravel() < NEAR
    with torch.no_grad():
        clean = agent.actor(obs, deterministic=True)
        believed = {"taken": _q_cost(agent, obs, taken), "clean": _q_cost(agent, obs, clean)}
        believed["estep"] = _q_cost_of_estep(agent, obs)
    q_taken, q_clean, q_estep = (value.numpy() for value in believed.values())
    return {
        "episode_cost": float(met.costs.sum(0).mean()),
        "threshold": agent.threshold,
        "multiplier": agent.dual.lam,
        "q_cost": float(q_taken.mean()),
        "cost_to_go": float(measured.mean()),
        "correlation": float(np.corrcoef(q_taken, measured)[0, 1]),
        "near_share": float(near.mean()),
        "near_q_cost": float(q_taken[near].mean()),
        "near_cost_to_go": float(measured[near].mean()),
        "near_q_cost_clean_eyes": float(q_clean[near].mean()),
        "near_q_cost_estep": float(q_estep[near].mean()),
    }


def _q_cost(agent: SAFER, obs: Tensor, actions: Tensor) -> Tensor:
    return aggregate(agent.cost_critic.values(obs, actions), agent.cost_aggregation)


def _q_cost_of_estep(agent: SAFER, obs: Tensor) -> Tensor:
    """Q_c of the actions of the E-step, by its weights [B]."""
    how = (agent.reward_aggregation, agent.cost_aggregation)
    drawn = draw_particles(agent.policy, obs, 32, how, torch.float32, agent._generator)
    weights = estep_weights(drawn.q_reward, drawn.q_cost, agent.dual)
    return (weights * drawn.q_cost).sum(dim=0)


def main() -> None:
    """Print the diagnosis of a model file as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model")
    one_thread()
    agent = SAFER.load(options.parse_args().model, device="cpu")
    found = {key: round(value, 3) for key, value in diagnose(agent).items()}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
