"""My robot: a ball that must stay in its lane. Importing it registers its environment."""

import gymnasium as gym

from my_robot.lane import HORIZON

ENV_ID = "my_robot:BallInLane-v0"

gym.register("BallInLane-v0", "my_robot.lane:make_lane", max_episode_steps=HORIZON)
