"""Learn DRAC on the double integrator: the robust invariant set, and the switch under attack.

python examples/drac_double_integrator.py                       # two minutes
python examples/drac_double_integrator.py --timesteps 1500      # a look at how it works
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from safer_gym.agents import DRAC
from safer_gym.wrappers.worlds.double_integrator import in_robust_set

TASK = "SaferGym/DoubleIntegrator-v0"


def overlap(model: Any) -> tuple[float, float]:
    """Of the learned set with the exact one (IoU), and what is falsely called safe."""
    axes = np.meshgrid(np.linspace(-6, 6, 121), np.linspace(-4, 4, 121), indexing="ij")
    states = np.stack(axes, axis=-1).reshape(-1, 2).astype(np.float32)
    found, exact = model.q_safety(states) >= 0, in_robust_set(states)
    return (found & exact).sum() / (found | exact).sum(), (found & ~exact).sum() / exact.sum()


def worst_h(model: Any, adversary: Callable[[Any], Any], episodes: int) -> float:
    """The lowest h of episodes under attack."""
    env: Any = gym.make(TASK)
    lowest = np.inf
    for seed in range(episodes):
        obs, info = env.reset(seed=seed)
        done = False
        while not done:
            lowest = min(lowest, info["h"])
            env.unwrapped.disturb(adversary(obs))
            action, _ = model.predict(obs, deterministic=True)
            obs, _, terminated, truncated, info = env.step(action)
            done = terminated or truncated
    return float(min(lowest, info["h"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timesteps", type=int, default=16_000)
    parser.add_argument("--episodes", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    model = DRAC("MlpPolicy", gym.make(TASK), policy_kwargs={"net_arch": [64, 64]}, seed=0)
    model.learn(arguments.timesteps)

    iou, false = overlap(model)
    print(f"learned set: IoU {iou:.3f}, falsely safe {false:.3f}")
    half = model.policy.unscale_disturbance(np.ones(1, np.float32))
    attacks = {
        "no adversary": lambda obs: 0 * half,
        "safety adversary": model.disturbance,
        "bang-bang": lambda obs: half * np.float32(np.sign(obs[1])),
    }
    for shield in (False, True):
        model.shield = shield
        for name, adversary in attacks.items():
            h = worst_h(model, adversary, arguments.episodes)
            print(f"shield {'on ' if shield else 'off'}  {name:16}  lowest h {h:7.3f}")


if __name__ == "__main__":
    main()
