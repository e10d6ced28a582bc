"""Certify a policy on a cart-pole that an adversary pushes.

    python examples/certify_against_pushes.py                                 # a plain SAC: FAIL
    python examples/certify_against_pushes.py --model cart-pole/drac-shield   # DRAC, shielded: PASS
    python examples/certify_against_pushes.py --model my-model.zip

The policy is Stable-Baselines3's SAC, which sees the reward alone. The battery pushes the cart with
at most 3 N: noise, bang-bang, and adversaries that learned against this very policy. A state is
safe where h >= 0; the requirement allows one episode in twenty to leave the safe states.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium as gym
import torch

from safer_gym.conformance.certify import certify
from safer_gym.conformance.loading import load_policy

MODEL = Path(__file__).parent / "policies" / "cart-pole-sac.zip"
TASK = "SaferGym/CartPole-v0"
REQUIREMENT = "P(cost > 0) <= 0.05 at disturbance eps = 0.3 under attacks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(MODEL))
    parser.add_argument("--battery", default="standard")
    parser.add_argument("--episodes", type=int, default=150)
    parser.add_argument("--budget", default="20m")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    certificate = certify(
        load_policy(arguments.model).policy,
        lambda: gym.make(TASK),
        requirement=REQUIREMENT,
        battery=arguments.battery,
        episodes=arguments.episodes,
        budget=arguments.budget,
    )
    for row in certificate.rows:
        for a in row.attacks:
            share = a.violations / a.n
            depth = min(a.worst_h) if a.worst_h else float("nan")
            print(f"{a.attack:22} {a.n:4} episodes, {share:4.0%} over, lowest h {depth:+.3f}")
    print(certificate.verdict, certificate.requirements[0].why)
    raise SystemExit(certificate.exit_code)


if __name__ == "__main__":
    main()
