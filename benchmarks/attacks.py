"""States attacked per second, and how much of the time is matrix multiplication.

The attack is maximum cost with `steps` gradient steps, on an actor and critics of two hidden
layers each. The share of products is the time of the same matrix products replayed alone.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.machine import sgemm_peak
from benchmarks.networks import BALL_CIRCLE, make_agent
from benchmarks.products import Products
from benchmarks.timing import Timing, interleave, lap_of
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall
from safer_gym.types import Victim

Row = dict[str, Any]


def measure(
    *,
    batches: tuple[int, ...] = (1, 64, 1024),
    steps: int = 10,
    width: int = 256,
    eps: float = 0.05,
    repetitions: int = 15,
) -> dict[str, Any]:
    """Attack batches of random states of Ball-Circle's size."""
    agent = make_agent("cvpo", width)
    agent.policy.set_training_mode(False)
    peak = sgemm_peak(repetitions)
    rows = [_batch(agent.victim(), batch, steps, eps, repetitions, peak) for batch in batches]
    return {
        "benchmark": "attacks",
        "setting": {"attack": "mc", "steps": steps, "width": width, "eps": eps},
        "sgemm_peak_gflops": peak / 1e9,
        "rows": rows,
    }


def _batch(
    victim: Victim, batch: int, steps: int, eps: float, repetitions: int, peak: float
) -> Row:
    obs = torch.randn(batch, BALL_CIRCLE[0], generator=torch.Generator().manual_seed(0))
    attack, ball = make_attack("mc", steps=steps), LpBall.of("linf", eps)
    with Products() as products:
        attack(victim, obs, ball)
    calls = max(1, 64 // batch)  # laps long enough for the clock

    def attacks() -> None:
        for _ in range(calls):
            attack(victim, obs, ball)

    def replays() -> None:
        for _ in range(calls):
            products.replay()

    timings = interleave({"attack": lap_of(attacks), "products": lap_of(replays)}, repetitions)
    return _row(batch, calls, timings["attack"], timings["products"], products.flops / peak)


def _row(batch: int, calls: int, attack: Timing, products: Timing, ideal: float) -> Row:
    return {
        "batch": batch,
        "latency_ms": 1e3 * attack.wall / calls,
        "latency_cpu_ms": 1e3 * attack.cpu / calls,
        "states_per_s": batch * calls / attack.wall,
        "states_per_cpu_s": batch * calls / attack.cpu,
        "share_of_products": products.cpu / attack.cpu,
        "share_of_peak": ideal * calls / attack.cpu,
        "timing": attack.to_json(calls),
    }
