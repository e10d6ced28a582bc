"""Batteries: named sets of attacks, some of which are learned first."""

from safer_gym.conformance.battery.build import BATTERIES, Battery, make_battery
from safer_gym.conformance.battery.members import NULL, Member

__all__ = ["BATTERIES", "NULL", "Battery", "Member", "make_battery"]
