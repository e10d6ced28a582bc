"""Gradient updates per second at the paper's setting, beside the plain version of the same.

An update is what `train()` does once: a batch from the buffer, both critics, the E-step, the
attack (SAFER), the M-steps, the targets. The paper's setting: batch 300, 32 particles, 6 M-steps,
two hidden layers of 256, two reward critics and one cost critic; SAFER attacks with 5 MC steps.
"bfloat16" is the package with `estep_dtype="bfloat16"`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.machine import sgemm_peak
from benchmarks.networks import ALGORITHMS, BALL_CIRCLE, fill_buffer, make_agent
from benchmarks.plain_cvpo import PlainUpdate
from benchmarks.products import Products
from benchmarks.timing import Timing, interleave, lap_of, ratio
from benchmarks.worker import KEEP_MEMORY, Worker
from safer_gym.agents.cvpo.variational import Variational


class Setting(NamedTuple):
    """Sizes of an update; the defaults are the paper's."""

    batch: int = 300
    particles: int = 32
    m_steps: int = 6
    width: int = 256
    reward_critics: int = 2
    cost_critics: int = 1
    attack_steps: int = 5
    transitions: int = 5_000
    """How many the buffer holds."""
    updates: int = 2
    """Updates of one lap."""


def measure(
    *,
    setting: Setting | None = None,
    algorithms: tuple[str, ...] = tuple(ALGORITHMS),
    malloc: bool = True,
    repetitions: int = 15,
) -> dict[str, Any]:
    """Time both algorithms, and both versions of each, in turns."""
    setting = setting or Setting()
    peak = sgemm_peak(repetitions)
    rows = [_algorithm(name, setting, malloc, repetitions, peak) for name in algorithms]
    return {
        "benchmark": "updates",
        "setting": setting._asdict(),
        "sgemm_peak_gflops": peak / 1e9,
        "rows": rows,
    }


def package_update(algorithm: str, setting: Setting) -> Callable[[], None]:
    """A lap of this package's `train`."""
    agent = _agent(algorithm, setting)
    return lambda: agent.train(setting.updates, setting.batch)


def plain_update(algorithm: str, setting: Setting) -> Callable[[], None]:
    """A lap of the plain version."""
    plain = PlainUpdate(_agent(algorithm, setting))
    return lambda: plain.train(setting.updates, setting.batch)


def _agent(algorithm: str, setting: Setting, **own: Any) -> Variational:
    own |= {"attack_steps": setting.attack_steps} if algorithm == "safer" else {}
    agent = make_agent(
        algorithm,
        setting.width,
        n_critics=setting.reward_critics,
        n_cost_critics=setting.cost_critics,
        batch_size=setting.batch,
        n_particles=setting.particles,
        m_steps=setting.m_steps,
        buffer_size=setting.transitions,
        **own,
    )
    fill_buffer(agent, setting.transitions)
    agent._current_progress_remaining = 0.0  # the attack at its full radius
    return agent


def _algorithm(
    algorithm: str, setting: Setting, malloc: bool, repetitions: int, peak: float
) -> dict[str, Any]:
    agent, reduced = _agent(algorithm, setting), _agent(algorithm, setting, estep_dtype="bfloat16")
    obs = agent._sample_batch(setting.batch).observations
    with ExitStack() as stack:
        variants = {
            "package": lap_of(lambda: agent.train(setting.updates, setting.batch)),
            "plain": lap_of(plain_update(algorithm, setting)),
            "package, bfloat16": lap_of(lambda: reduced.train(setting.updates, setting.batch)),
            "estep": lap_of(lambda: agent._expectation(obs)),
            "estep, bfloat16": lap_of(lambda: reduced._expectation(obs)),
        }
        if malloc:
            for name, build in {"package": package_update, "plain": plain_update}.items():
                options = {"algorithm": algorithm, "setting": setting}
                worker = Worker(build, options, KEEP_MEMORY)
                variants[f"{name}, memory kept"] = stack.enter_context(worker)
        timings = interleave(variants, repetitions, warm_up=2)
    with Products() as whole:
        agent.train(1, setting.batch)
    shares = {
        "update": whole.flops / peak / (timings["package"].cpu / setting.updates),
        "estep": _estep_flops(setting) / peak / timings["estep"].cpu,
    }
    return _row(algorithm, setting, timings, shares, whole.flops)


def _row(
    algorithm: str,
    setting: Setting,
    timings: dict[str, Timing],
    shares: dict[str, float],
    flops: int,
) -> dict[str, Any]:
    per_lap = {name: 1 if name.startswith("estep") else setting.updates for name in timings}
    ratios = {
        "plain / package": ratio(timings, "plain", "package"),
        "plain / package, bfloat16": ratio(timings, "plain", "package, bfloat16"),
        "estep / estep, bfloat16": ratio(timings, "estep", "estep, bfloat16"),
    }
    if "package, memory kept" in timings:
        slow, fast = "plain, memory kept", "package, memory kept"
        ratios["plain / package, memory kept"] = ratio(timings, slow, fast)
        ratios["package / package, memory kept"] = ratio(timings, "package", fast)
    return {
        "algorithm": algorithm,
        "updates_per_s": setting.updates / timings["package"].wall,
        "updates_per_cpu_s": setting.updates / timings["package"].cpu,
        "update_gflop": flops / 1e9,
        "estep_gflop": _estep_flops(setting) / 1e9,
        "share_of_peak": shares,
        "ratios": ratios,
        "timings": {name: timing.to_json(per_lap[name]) for name, timing in timings.items()},
    }


def _estep_flops(setting: Setting) -> int:
    """What the critics of an E-step need: the states' part of the first layer once a state."""
    obs_dim, action_dim = BALL_CIRCLE
    width, rows = setting.width, setting.batch * setting.particles
    per_row = action_dim * width + width * width + width
    critics = setting.reward_critics + setting.cost_critics
    return 2 * critics * (rows * per_row + setting.batch * obs_dim * width)
