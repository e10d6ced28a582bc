"""One view of a policy: what is attacked, evaluated, certified or loaded goes through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from safer_gym.domains import FLAG, require
from safer_gym.types import Victim
from safer_gym.wrappers.obs_layout import ObsLayout, packed_space
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.normaliser import (
    Normaliser,
    attached_normaliser,
    behind,
    check_fits,
    frozen,
    normalised,
    normalised_arrays,
)
from safer_gym.wrappers.policies.recurrent import Recurrence
from safer_gym.wrappers.policies.remembering import recurrence_of
from safer_gym.wrappers.policies.trained_behind import check_seen_raw
from safer_gym.wrappers.policies.victims import as_victim, through


@dataclass(frozen=True, eq=False)
class PolicyView:
    """A policy with its normaliser, seen from raw observations and in the environment's units.

    Args:
        inner: what the user passed, whatever `as_victim` takes.
        normaliser: the statistics that its observations go through; a VecNormalize is read anew
            at each call.
        draw: actions at raw observations, of a policy that acts only with noise; the victim is
            then the policy without it.
        admitted: the spaces for which `wrappers.gate` has admitted it.
        device: where the observations are that it is asked about.
        actions: the environment's action space, where it is known.
        layout: of the environment's observations, once they are known.
        example: one of them, packed [1, *O].
        packs: whether it is asked about packed observations, as `layout` packs them.
        recurrence: how it is asked, where it hands on a memory. Its victim is one of rows, see
            `safer_gym.memory`.
    """

    inner: Any
    normaliser: Normaliser | VecNormalize | None = None
    draw: Callable[[Tensor, torch.Generator], Tensor] | None = None
    admitted: tuple[spaces.Space, spaces.Space] | None = None
    device: str | torch.device = "cpu"
    actions: spaces.Space | None = None
    layout: ObsLayout | None = None
    example: Tensor | None = None
    packs: bool = False
    recurrence: Recurrence | None = None

    def victim(self) -> Victim:
        """Differentiable functions of raw observations, of packed ones, or of rows."""
        return self._victim

    @cached_property
    def _victim(self) -> Victim:
        if self.recurrence is not None:
            assert self.layout is not None
            return self._with_critics(self.recurrence.victim(self.layout, self._look))
        victim = as_victim(self.inner, action_space=self.actions, layout=self.layout)
        if self.normaliser is not None:
            victim = behind(self.normaliser, victim)
        return through(self.layout, victim) if self.layout is not None and self.packs else victim

    def _with_critics(self, victim: Victim) -> Victim:
        """Critics of observations that a policy with a memory brings along, as ones of rows."""

        def of_rows(critic: Any) -> Any:
            assert self.layout is not None
            shape, size = self.layout.shape, victim.memory.size
            return critic and (
                lambda rows, actions: critic(
                    self._look(self.layout.unpack(rows[:, size:].reshape(-1, *shape))), actions
                )
            )

        q_reward, q_cost = getattr(self.inner, "critics", (None, None))
        return victim._replace(q_reward=of_rows(q_reward), q_cost=of_rows(q_cost))

    def _look(self, obs: Any) -> Any:
        """From raw observations to those that the policy reads."""
        return obs if self.normaliser is None else normalised(self.normaliser, obs)

    def _read(self, observation: Any) -> Any:
        """What the policy reads where it is deployed, as arrays."""
        if self.packs and self.layout is not None:
            observation = self.layout.shown(np.asarray(observation))
        if self.normaliser is None:
            return observation
        return normalised_arrays(self.normaliser, observation)

    def in_space(self, space: spaces.Space, probes: Tensor) -> PolicyView:
        """The view in environments with these observations, its memory found by what it does.

        Args:
            space: of observations.
            probes: some of them, packed [B, *O].

        Raises:
            ValueError: a memory that cannot be carried from step to step.
        """
        layout = ObsLayout(space)
        remembers = recurrence_of(self.inner, layout, self._look, probes, self.actions)
        return replace(self, layout=layout, example=probes[:1], recurrence=remembers)

    @property
    def example_row(self) -> Tensor:
        """What attacks are given at the example, at the start of an episode."""
        assert self.example is not None
        return self.victim().memory.at_start(self.example.float())

    def packed(self) -> PolicyView:
        """An admitted view, asked about packed observations: what `PackedObservations` shows."""
        assert self.layout is not None
        assert self.admitted is not None
        space = packed_space(self.layout)
        return replace(self, packs=True, admitted=(space, self.admitted[1]))

    @property
    def observation_space(self) -> spaces.Space | None:
        """The space that the policy states; None where it states none."""
        return getattr(self.inner, "observation_space", None)

    @property
    def action_space(self) -> spaces.Space | None:
        """The space that the policy states; None where it states none."""
        return getattr(self.inner, "action_space", None)

    @property
    def modules(self) -> list[nn.Module]:
        """The torch modules that it is made of."""
        found = (self.inner, getattr(self.inner, "policy", None))
        return [part for part in found if isinstance(part, nn.Module)]

    @property
    def is_sb3(self) -> bool:
        """Whether it is a model of Stable-Baselines3, or the policy of one."""
        return isinstance(self.inner, (BaseAlgorithm, BasePolicy))

    @property
    def reads_sb3(self) -> bool:
        """Whether its parts are those of a policy of Stable-Baselines3, whoever holds it."""
        return isinstance(getattr(self.inner, "policy", self.inner), BasePolicy)

    @property
    def predicts(self) -> bool:
        """Whether it is deployed by a method `predict`."""
        return callable(getattr(self.inner, "predict", None))

    @property
    def has_parts(self) -> bool:
        """Whether attacks read something else than the `predict` that is deployed."""
        reads_parts = self.is_sb3 or callable(getattr(self.inner, "victim", None))
        brings_parts = self.recurrence is not None and self.recurrence.deployed is not None
        return self.predicts and (reads_parts or brings_parts)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[np.ndarray, Any]:
        """As the policy is deployed: (raw observations, state) to (actions, state)."""
        observation = self._read(observation)
        memory = {} if state is None else {"state": state, "episode_start": episode_start}
        with as_found(*self.modules):
            return self.inner.predict(observation, **memory, deterministic=deterministic)

    def as_deployed(self, rows: Tensor) -> Tensor:
        """What a policy with a memory answers to rows when it is asked as it is deployed [B, A]."""
        assert self.recurrence is not None
        assert self.layout is not None
        size = self.victim().memory.size
        obs = self.layout.unpack(rows[:, size:].reshape(-1, *self.layout.shape))
        ask = self.recurrence.deployed or self.recurrence.ask
        with torch.no_grad():
            answer = self.recurrence.step(ask, self._look(obs), rows[:, :size])[0].answer
        return self.recurrence.actions.pack(answer.cpu())

    def raw_action(self, observation: Any, *, deterministic: bool) -> Tensor:
        """What a policy of Stable-Baselines3 answers to raw observations before it is clipped."""
        policy, observation = getattr(self.inner, "policy", self.inner), self._read(observation)
        with as_found(policy), torch.no_grad():
            return policy._predict(policy.obs_to_tensor(observation)[0], deterministic)


def view_of(policy: Any, vec_normalize: Any = None, *, live: bool = False) -> PolicyView:
    """The view of a policy with its normaliser.

    Args:
        policy: whatever `as_victim` takes, or a view.
        vec_normalize: the statistics that raw observations go through: a VecNormalize, or a
            `Normaliser`. None takes the one that is attached to the model; False takes none.
        live: read a VecNormalize anew at each call instead of copying its statistics; for policies
            that still learn.

    Raises:
        ValueError: two normalisers that differ; statistics of another observation space; a model
            that was trained behind a normaliser which is not there, or is not known.
        TypeError: a normaliser of another kind.
    """
    require(FLAG, live=live)
    if callable(getattr(policy, "policy_view", None)):
        policy = policy.policy_view()
    if isinstance(policy, PolicyView) and vec_normalize is None:
        return policy
    inner: Any = policy
    own: Any = attached_normaliser(policy)
    if isinstance(policy, PolicyView):
        inner, own = policy.inner, policy.normaliser
    elif vec_normalize is None and not (live and _learns(policy)):
        check_seen_raw(policy)
    given = own if vec_normalize is None else vec_normalize
    if given is None or given is False:
        return PolicyView(inner)
    copy = frozen(given)
    if copy is None:
        return PolicyView(inner)
    _check_one(own, copy)
    view = PolicyView(inner, given if live else copy)
    if view.observation_space is not None:
        check_fits(copy, view.observation_space)
    return view


def _learns(policy: Any) -> bool:
    return isinstance(policy, BaseAlgorithm) and policy.get_env() is not None


def _check_one(own: Any, given: Normaliser) -> None:
    if own is not None and frozen(own) != given:
        raise ValueError(
            "vec_normalize differs from the statistics that the policy brings along; leave "
            "vec_normalize out, or pass the model without its environment"
        )
