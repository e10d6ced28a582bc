"""The environment of my robot, and what a step in it costs."""

import gymnasium as gym

import safer_gym  # noqa: F401  (registers the Bullet tasks)
from safer_gym.wrappers import CostTracker

HORIZON = 200
LANE = 6.0
"""Half the lane's width, in metres."""


def left_the_lane(obs, action, next_obs, info):
    """1 for each step beyond the lane, as the environment itself knows it."""
    return float(info["cost"] > 0)


def make_lane(render_mode=None):
    """Ball-Circle of safer-gym, as mine: put your own simulator here."""
    env = gym.make("SaferGym/BallCircle-v0", render_mode=render_mode).unwrapped
    return CostTracker(env, cost=left_the_lane)
