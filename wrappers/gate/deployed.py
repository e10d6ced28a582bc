"""Is what attacks and bounds read of a policy what the policy does when it is deployed?"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from safer_gym.networks import MlpAction
from safer_gym.wrappers.gate.questions import Questions, apart, count
from safer_gym.wrappers.obs_layout import pick
from safer_gym.wrappers.policies.altered import altered
from safer_gym.wrappers.policies.view import PolicyView

TOLERANCE = 1e-4
BLACK_BOX = "lambda obs: model.predict(obs, deterministic=True)[0]"


def check_written_out(questions: Questions, rows: Any) -> None:
    """A network that attacks walk by its written-out derivative is the one that acts.

    Raises:
        ValueError: says where they differ, and by how much.
    """
    action = questions.view.victim().action
    if isinstance(action, MlpAction):
        with torch.no_grad():
            unit = action.unit(questions.packed(rows))
        walked = action.low + (unit + 1.0) * action.half
        compare("the policy", questions.measured(questions.packed(rows)), walked, rows)


def check_deployed(questions: Questions, rows: Any) -> None:
    """Compare the policy's parts with its `predict`, at a batch of observations.

    Raises:
        ValueError: says at which observation they differ, and by how much.
    """
    view = questions.view
    if not view.has_parts:
        return
    told, read = questions.deployed(rows), questions.measured(questions.packed(rows)).cpu()
    what = "`predict(deterministic=True)`"
    clipped = questions.rows.clipped
    compare(what, clipped(told), questions.told_apart(rows, told, clipped(read)), rows)
    if view.is_sb3 and view.recurrence is None:
        alone = questions.rows.pack(view.predict(pick(rows, 0))[0][None])
        compare("`predict` of a single observation", alone, told[:1], rows)
        _check_unclipped(questions, rows)


def check_bringer(policy: Any, questions: Questions, rows: Any) -> None:
    """Compare an object that brings a view of itself with that view, where it has a `predict` too.

    A view that draws cannot be compared: its `predict` draws as well.

    Raises:
        ValueError: says at which observation they differ, and by how much.
    """
    brings = callable(getattr(policy, "policy_view", None))
    if not brings or not callable(getattr(policy, "predict", None)) or questions.view.draw:
        return
    told = questions.rows.pack(policy.predict(rows, deterministic=True)[0])
    obs = questions.layout.pack(rows).to(questions.view.device)
    read = questions.measured(questions.victim.memory.at_start(obs)).cpu()
    clipped = questions.rows.clipped
    what = "`predict` of the object that brings this view along"
    compare(what, clipped(told), questions.told_apart(rows, told, clipped(read)), rows)


def check_unaltered(view: PolicyView) -> None:
    """A model that is read part by part calls its parts in the known way.

    Raises:
        ValueError: names the hook or the method.
    """
    if view.reads_sb3 and (reason := altered(view.inner)):
        raise ValueError(
            f"the policy may not be what attacks and bounds read of it: {reason}. To measure the "
            f"policy as a black box, pass {BLACK_BOX}"
        )


def compare(what: str, told: Tensor, read: Tensor, rows: Any) -> None:
    """Refuse two answers that differ.

    Raises:
        ValueError: names the observation and the difference.
    """
    if found := apart(told, read, TOLERANCE):
        row, error = found
        raise ValueError(
            f"the policy is not what attacks and bounds read of it: at the observation "
            f"{pick(rows, row)!r} {what} gives {_short(told[row])}, the parts that are read give "
            f"{_short(read[row])}, a difference of {error:.3g}. To measure the policy as a black "
            f"box, pass {BLACK_BOX}"
        )


def _check_unclipped(questions: Questions, rows: Any) -> None:
    """Actions cut to the same box hide how far apart they were."""
    view = questions.view
    policy, distribution = getattr(view.inner, "policy", view.inner), questions.victim.distribution
    if not isinstance(policy, BasePolicy) or policy.squash_output or distribution is None:
        return
    if questions.rows.sizes is not None:
        return
    raw = view.raw_action(rows, deterministic=True).reshape(count(rows), -1)
    mean = distribution(questions.packed(rows)).mean.detach()
    compare("the action before it is clipped", raw, mean, rows)


def _short(numbers: Tensor) -> str:
    return "[" + ", ".join(f"{float(n):.4g}" for n in numbers) + "]"
