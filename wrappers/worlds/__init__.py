"""Worlds with a disturbance and a constraint function h: where DRAC learns and is tried.

Importing `safer_gym` puts them into Gymnasium's registry. Each is deterministic but for its start,
has `unwrapped.disturbance_space` and `unwrapped.disturb(d)`, and reports `info["h"]` (safe where
>= 0) and `info["cost"]` = 1 where h < 0. The DRAC paper names CartPole, RacingCar and Walker2D and
prints none of their numbers: those here are ours, after the sources named in each file. The point
mass before a wall is ours, too: where algorithms with a cost limit are tried in minutes.
"""
