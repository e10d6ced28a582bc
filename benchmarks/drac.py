"""Gradient updates of DRAC, RSAC and RAC a second, beside Stable-Baselines3's SAC at the same size.

DRAC's parts are two actor-critics, for the return and for safety, each with twin critics, an actor
and its adversary, and a multiplier network. Two updates of SAC are two actor-critics without any
adversary or multiplier: an update of DRAC should cost no more.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from benchmarks.machine import sgemm_peak
from benchmarks.products import Products
from benchmarks.timing import interleave, lap_of, ratio
from safer_gym.agents import DRAC
from safer_gym.agents.drac.recipes import RAC, RSAC

ALGORITHMS: dict[str, tuple[type[OffPolicyAlgorithm], dict[str, Any]]] = {
    "drac": (DRAC, {}),
    "rsac": (DRAC, RSAC),
    "rac": (DRAC, RAC),
    "sac": (SAC, {}),
}


class Setting(NamedTuple):
    """Sizes of an update."""

    batch: int = 256
    width: int = 64
    transitions: int = 1_000
    """How many the buffer holds."""
    updates: int = 20
    """Updates of one lap: a whole number of the delays of DRAC's policy and multiplier."""


def measure(*, setting: Setting | None = None, repetitions: int = 15) -> dict[str, Any]:
    """Time all of them in turns."""
    setting = setting or Setting()
    agents = {name: _agent(name, setting) for name in ALGORITHMS}
    laps = {
        name: lap_of(partial(agent.train, setting.updates, setting.batch))
        for name, agent in agents.items()
    }
    timings = interleave(laps, repetitions, warm_up=2)
    peak = sgemm_peak(repetitions)
    rows = []
    for name, agent in agents.items():
        with Products() as products:
            agent.train(setting.updates, setting.batch)
        flops = products.flops / setting.updates
        cpu = timings[name].cpu / setting.updates
        rows.append(
            {
                "algorithm": name,
                "updates_per_cpu_s": 1 / cpu,
                "update_gflop": flops / 1e9,
                "share_of_peak": flops / peak / cpu,
                "cpu_of_sac": ratio(timings, name, "sac")["cpu"],
                "wall_of_sac": ratio(timings, name, "sac")["wall"],
            }
        )
    return {
        "benchmark": "drac",
        "setting": setting._asdict(),
        "sgemm_peak_gflops": peak / 1e9,
        "rows": rows,
    }


def _agent(name: str, setting: Setting) -> OffPolicyAlgorithm:
    algorithm, options = ALGORITHMS[name]
    agent = algorithm(
        "MlpPolicy",
        gym.make("SaferGym/DoubleIntegrator-v0"),
        batch_size=setting.batch,
        buffer_size=setting.transitions,
        learning_starts=setting.transitions,
        policy_kwargs={"net_arch": [setting.width, setting.width]},
        seed=0,
        device="cpu",
        **options,
    )
    agent.set_logger(configure(None, []))
    return agent.learn(setting.transitions)
