"""Run-time filters that keep a policy safe for every state that fits what it was shown.

    part = Part(...)                      # coordinates, model, backups, safe set: plain numbers
    prior = part.nowhere(batch)           # the box of possible states before the first step
    seen = observe(part, obs, prior)      # intersected with what is shown; empty: alarm
    act = shielded(part, seen.box, task)  # the task's action, clipped
    prior = predicted(part, seen.box, act)
    proof = prove(part)                   # recursive feasibility, for every possible box

Everything here is given a model of the safety coordinates z, and holds as far as that model does:
z' in A z + B u + c + [low, high], or z' in f(z, u) + [low, high] with the user's own function f.
Axes: B batch, K coordinates, O observation, M actions of a part, R rows of the safe set.
"""

from safer_gym.shield.feasibility import Proof, prove
from safer_gym.shield.filtering import Filtered, shielded
from safer_gym.shield.fitting import Transitions, fit_part, leaving, residuals
from safer_gym.shield.function import Function
from safer_gym.shield.mode import Backup, Mode
from safer_gym.shield.model import Part
from safer_gym.shield.observer import Seen, observe, predicted
from safer_gym.shield.ranged import NotEnclosedError
from safer_gym.shield.reach import reach_of
from safer_gym.shield.safe_set import safe_rows

__all__ = [
    "Backup",
    "Filtered",
    "Function",
    "Mode",
    "NotEnclosedError",
    "Part",
    "Proof",
    "Seen",
    "Transitions",
    "fit_part",
    "leaving",
    "observe",
    "predicted",
    "prove",
    "reach_of",
    "residuals",
    "safe_rows",
    "shielded",
]
