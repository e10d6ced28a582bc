"""The table of tasks says what the paper says."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest

from safer_gym.wrappers.adapters.bullet_tasks import BULLET_TASKS, PAPER_TASKS, bullet_spec
from safer_gym.wrappers.adapters.registry import register_envs


@pytest.mark.parametrize(
    ("name", "identifier", "horizon", "dt", "eps", "sizes"),
    [
        ("ball-circle", "SaferGym/BallCircle-v0", 200, 1 / 10, 0.05, (8, 2)),
        ("car-circle", "SaferGym/CarCircle-v0", 300, 1 / 10, 0.05, (8, 2)),
        ("drone-run", "SaferGym/DroneRun-v0", 100, 1 / 30, 0.025, (17, 4)),
        ("ant-run", "SaferGym/AntRun-v0", 200, 1 / 30, 0.025, (33, 8)),
    ],
)
def test_paper_numbers(name, identifier, horizon, dt, eps, sizes):
    spec = BULLET_TASKS[name]
    assert (spec.id, spec.horizon, spec.eps, spec.cost_limit) == (identifier, horizon, eps, 5.0)
    assert spec.dt == pytest.approx(dt)
    assert (spec.obs_size, spec.action_size) == sizes


def test_paper_tasks_come_first():
    assert set(list(BULLET_TASKS)[:4]) == set(PAPER_TASKS)
    assert len(BULLET_TASKS) == 18


def test_geometry():
    circle, run = BULLET_TASKS["car-circle"].geometry, BULLET_TASKS["ball-run"].geometry
    assert (circle.circle_radius, circle.x_limit, circle.y_limit) == (7.0, 6.0, None)
    assert (run.y_limit, run.speed_limit, run.x_limit) == (2.0, 2.5, None)
    assert BULLET_TASKS["drone-run"].geometry.speed_limit == 1.5


def test_every_task_is_registered_once():
    before = dict(gymnasium.registry)
    register_envs()
    assert gymnasium.registry == before
    for spec in BULLET_TASKS.values():
        assert gymnasium.spec(spec.id).max_episode_steps == spec.horizon


def test_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match=r"Did you mean 'ball-circle'"):
        bullet_spec("ball-circel")


def test_registering_loads_no_simulator_and_waits_for_gymnasium():
    code = (
        "import sys, safer_gym; assert 'gymnasium' not in sys.modules;"
        "import gymnasium; gymnasium.spec('SaferGym/AntRun-v0');"
        "assert not {'pybullet', 'torch', 'gym', 'stable_baselines3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
