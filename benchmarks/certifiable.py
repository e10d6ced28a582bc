"""What an update costs with the penalty on the enclosed shift of the mean, beside one without.

The actors have constant noise in both; the sizes are those of CVPO's recipe on Ball-Circle, and
the paper's. The radius does not matter: the same operations are done at each.
"""

from __future__ import annotations

from typing import Any

from benchmarks.networks import fill_buffer, make_agent
from benchmarks.timing import interleave, lap_of, ratio
from benchmarks.updates import Setting
from safer_gym.agents.cvpo.variational import Variational

RECIPE = Setting(batch=256, particles=16, m_steps=1, width=128, reward_critics=1, attack_steps=3)
SETTINGS = {"recipe": RECIPE, "paper": Setting()}


def measure(
    *,
    settings: dict[str, Setting] | None = None,
    algorithms: tuple[str, ...] = ("cvpo", "safer"),
    repetitions: int = 15,
) -> dict[str, Any]:
    """A row for each algorithm and setting."""
    settings = settings or SETTINGS
    rows = [
        _row(algorithm, name, setting, repetitions)
        for algorithm in algorithms
        for name, setting in settings.items()
    ]
    return {"benchmark": "certifiable", "setting": {"repetitions": repetitions}, "rows": rows}


def _row(algorithm: str, name: str, setting: Setting, repetitions: int) -> dict[str, Any]:
    agents = {weight: _agent(algorithm, setting, weight) for weight in (0.0, 1.0)}
    laps = {
        f"weight {weight:g}": lap_of(
            lambda agent=agent: agent.train(setting.updates, setting.batch)
        )
        for weight, agent in agents.items()
    }
    timings = interleave(laps, repetitions)
    times = ratio(timings, "weight 1", "weight 0")
    return {
        "algorithm": algorithm,
        "sizes": name,
        "without, CPU ms": 1e3 * timings["weight 0"].cpu / setting.updates,
        "with, CPU ms": 1e3 * timings["weight 1"].cpu / setting.updates,
        "times, CPU": times["cpu"],
        "times, wall": times["wall"],
    }


def _agent(algorithm: str, setting: Setting, weight: float) -> Variational:
    attack: dict[str, Any] = {"attack_steps": setting.attack_steps} if algorithm == "safer" else {}
    agent = make_agent(
        algorithm,
        setting.width,
        n_critics=setting.reward_critics,
        n_cost_critics=setting.cost_critics,
        actor_kwargs={"covariance": "constant"},
        batch_size=setting.batch,
        n_particles=setting.particles,
        m_steps=setting.m_steps,
        buffer_size=setting.transitions,
        certified_weight=weight,
        **attack,
    )
    fill_buffer(agent, setting.transitions)
    agent._current_progress_remaining = 0.0  # every radius is the whole one
    return agent
