"""Steps of the grasping tasks beside the physics alone, and an update of a skill prior beside its
matrix products.

Physics: as many steps of the simulation as an environment step makes, and nothing else. Products:
floating-point operations of an update's matrix products at sgemm's peak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import sgemm_peak
from benchmarks.products import Products
from benchmarks.timing import interleave, lap_of
from safer_gym.agents.data.offline import offline_data
from safer_gym.agents.skills import PriorShape, PriorTraining
from safer_gym.agents.skills.train import PriorTrainer
from safer_gym.wrappers.skills import SkillActions
from safer_gym.wrappers.worlds.operation.operation import Operation
from safer_gym.wrappers.worlds.operation.scene import SUBSTEPS

TASK = 7
PRIORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SkillSAFER": ({}, {}),
    "SkillSAFER without c": ({"safety_size": 0}, {}),
    "PARROT": ({"safety_size": 0}, {"unsafe_weight": 0.0}),
}


class Setting(NamedTuple):
    """Sizes."""

    steps: int = 200
    """Of the environment in a lap."""
    updates: int = 20
    """Of a prior in a lap."""
    transitions: int = 2_000
    batch: int = 128


def measure(*, setting: Setting | None = None, repetitions: int = 9) -> dict[str, Any]:
    """Time all of it in turns."""
    setting = setting or Setting()
    data = _data(setting)
    trainers = {name: _trainer(data, setting, *options) for name, options in PRIORS.items()}
    worlds = _worlds(setting.steps, trainers["SkillSAFER"])
    laps = {name: lap_of(work) for name, work in worlds.items()}
    laps |= {name: lap_of(_updating(t, setting.updates)) for name, t in trainers.items()}
    timings = interleave(laps, repetitions, warm_up=1)
    peak = sgemm_peak(repetitions)
    rows = [
        {
            "work": name,
            "each_cpu_s": setting.steps / timings[name].cpu,
            "share": timings["physics alone"].cpu / timings[name].cpu,
        }
        for name in worlds
    ]
    for name, trainer in trainers.items():
        with Products() as products:
            trainer.update()
        cpu = timings[name].cpu / setting.updates
        rows.append(
            {
                "work": f"update of {name}",
                "each_cpu_s": 1 / cpu,
                "share": products.flops / peak / cpu,
            }
        )
    return {
        "benchmark": "skills",
        "setting": setting._asdict(),
        "sgemm_peak_gflops": peak / 1e9,
        "rows": rows,
    }


def _worlds(steps: int, trainer: PriorTrainer) -> dict[str, Callable[[], object]]:
    bare, states, images = Operation(TASK), Operation(TASK), Operation(TASK, images=True)
    skilled = SkillActions(Operation(TASK), trainer.prior)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (steps, 5)).astype(np.float32)
    actions[:, 4] = 1.0  # the gripper stays open: every step simulates as much
    for world in (bare, states, images, skilled):
        world.reset(seed=0)

    def physics() -> None:
        simulate = bare.scene.client.stepSimulation
        for _ in range(SUBSTEPS * steps):
            simulate()

    def stepping(world: Any) -> Callable[[], object]:
        return lambda: [world.step(action) for action in actions]

    return {
        "physics alone": physics,
        "step, state": stepping(states),
        "step, image of 48 x 48": stepping(images),
        "step, state, through SkillSAFER": stepping(skilled),
    }


def _data(setting: Setting) -> Any:
    rng, n = np.random.default_rng(0), setting.transitions
    return offline_data(
        {
            "observations": rng.normal(size=(n, 14)),
            "actions": rng.uniform(-0.9, 0.9, (n, 5)),
            "rewards": -np.ones(n),
            "costs": rng.random(n) < 0.2,
            "terminals": np.arange(n) % 20 == 19,
            "timeouts": np.zeros(n, bool),
        }
    )


def _trainer(
    data: Any, setting: Setting, shape: dict[str, Any], training: dict[str, Any]
) -> PriorTrainer:
    options = PriorTraining(batch_size=setting.batch, **training)
    return PriorTrainer(data, PriorShape((14,), 5, **shape), options)


def _updating(trainer: PriorTrainer, updates: int) -> Callable[[], object]:
    return lambda: [trainer.update() for _ in range(updates)]
