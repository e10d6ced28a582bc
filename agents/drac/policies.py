"""DRAC's policy object: two policies, two adversaries, their critics, and the switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim, is_image_space
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from safer_gym.agents.drac.networks import MultiplierNet, Number, Player, TaskPlayer
from safer_gym.agents.drac.options import CONSTRAINTS
from safer_gym.agents.drac.victim import drac_victim
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.networks.spec import ActorCritics, Net, make_optimizer
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.modules import sequential_layers
from safer_gym.bounds.network import Layer
from safer_gym.bounds.policy import PolicyLayers
from safer_gym.choices import choose
from safer_gym.types import Victim

ADVERSARIES = ("safety", "task")


class Players(NamedTuple):
    """pi, mu, pi_h and mu_h; None where the agent has none."""

    actor: TaskPlayer
    adversary: Player | None
    safety_actor: Player | None
    safety_adversary: Player | None

    def task_pair(self, obs: PyTorchObs, control: Tensor) -> Tensor:
        """(u, mu(x)) [B, A + D], as the critics take them."""
        return _pair(self.adversary, obs, control)

    def safety_pair(self, obs: PyTorchObs, control: Tensor | None = None) -> Tensor:
        """(u, mu_h(x)) [B, A + D]; u is pi_h(x) where not given."""
        return _pair(
            self.safety_adversary, obs, self.safety_control(obs) if control is None else control
        )

    def safety_control(self, obs: PyTorchObs) -> Tensor:
        """pi_h(x) [B, A]; without a safety policy the task policy's deterministic action."""
        actor = self.actor if self.safety_actor is None else self.safety_actor
        control: Tensor = actor(obs)
        return control


def _pair(adversary: Player | None, obs: PyTorchObs, control: Tensor) -> Tensor:
    return control if adversary is None else torch.cat([control, adversary(obs)], dim=1)


class DRACPolicy(BasePolicy):
    """Networks of DRAC and of its baselines. `predict` gives the control alone.

    It acts by slowly following copies of the players (`actor_target` and so on), which swing less
    than those that learn.

    Args follow Stable-Baselines3's SACPolicy, and:
        disturbance: lower and upper ends of the disturbances; None: there is no adversary.
        constraint: see MultiplierOptions; "none" has neither Q_h nor pi_h nor mu_h.
        safety_policy: False ties pi_h to pi.
        shield: act by pi_h where Q_h(x, u, mu_h(x)) < shield_margin.
    """

    actor: TaskPlayer
    critic: QEnsemble
    safety_critic: QEnsemble
    critic_target: QEnsemble
    safety_critic_target: QEnsemble
    temperature: Number
    multiplier: Any
    players: Players
    """Those that learn."""
    followers: Players
    """Those that act: slowly following copies."""
    lam: Tensor
    """The multiplier of the augmented Lagrangian."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        activation_fn: type[nn.Module] = nn.ReLU,
        features_extractor_class: type[BaseFeaturesExtractor] | None = None,
        features_extractor_kwargs: dict[str, Any] | None = None,
        normalize_images: bool = True,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        n_critics: int = 2,
        disturbance: Sequence[Sequence[float]] | None = None,
        constraint: str = "network",
        safety_policy: bool = True,
        shield: bool = False,
        shield_margin: float = 0.02,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor_class or _extractor(observation_space),
            features_extractor_kwargs,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
            squash_output=True,
            normalize_images=normalize_images,
        )
        self.net_arch = [256, 256] if net_arch is None else net_arch
        self.activation_fn, self.n_critics = activation_fn, n_critics
        self.disturbance_ends = disturbance and [list(map(float, ends)) for ends in disturbance]
        self.constraint = choose("constraint", constraint, CONSTRAINTS)
        self.has_safety, self.safety_policy = constraint != "none", safety_policy
        self.shield_margin, self.shield = shield_margin, shield
        self.spec = self._spec()
        self.spec.build_on(self, lr_schedule(1))
        numbers = {"temperature": Number(1.0)}
        if constraint == "scalar":
            numbers["multiplier"] = Number(MultiplierNet.START)
        for name, number in numbers.items():
            number.optimizer = make_optimizer(self, list(number.parameters()), lr_schedule(1))
            setattr(self, name, number)
        self.players = self._players("")
        self.followers = self._players("_target")
        self.register_buffer("lam", torch.zeros(()))
        self.learning = (*self.spec.actors, *self.spec.critics, *numbers)

    def _players(self, suffix: str) -> Players:
        found: Any = (getattr(self, name + suffix, None) for name in Players._fields)
        return Players(*found)

    def _spec(self) -> ActorCritics:
        ends = self.disturbance_ends
        actors: dict[str, Net] = {"actor": Net(TaskPlayer)}
        disturbed = {"action_space": _unit_box(len(ends[0]))} if ends else {}
        n_inputs = get_action_dim(self.action_space) + (len(ends[0]) if ends else 0)
        judge = Net(QEnsemble, {"n_critics": self.n_critics, "action_space": _unit_box(n_inputs)})
        critics = {"critic": judge}
        if ends:
            actors["adversary"] = Net(Player, disturbed)
        if self.has_safety and self.safety_policy:
            actors["safety_actor"] = Net(Player)
        if self.has_safety:
            critics["safety_critic"] = judge
            if ends:
                actors["safety_adversary"] = Net(Player, disturbed)
        if self.constraint == "network":
            critics["multiplier"] = Net(MultiplierNet, has_target=False)
        return ActorCritics(actors, critics)

    @property
    def shield(self) -> bool:
        """Whether `predict` switches to the safety policy where the task policy is not safe."""
        return self._shield

    @shield.setter
    def shield(self, on: bool) -> None:
        if on and not self.has_safety:
            raise ValueError("shield needs a safety value: constraint='none' learns none")
        self._shield = bool(on)

    # ------------------------------------------------------------------ use

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self._predict(obs, deterministic)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        followers = self.followers
        actor = followers.actor
        control = actor(observation) if deterministic else actor.sample(observation)[0]
        return self.shielded(observation, control) if self.shield else control

    def shielded(self, obs: PyTorchObs, control: Tensor) -> Tensor:
        """The control [B, A] where Q_h(x, u, mu_h(x)) >= shield_margin, pi_h(x) elsewhere."""
        followers = self.followers
        value = self.safety_critic_target.values(obs, followers.safety_pair(obs, control)).amin(0)
        is_safe = (value >= self.shield_margin).unsqueeze(1)
        return torch.where(is_safe, control, followers.safety_control(obs))

    def safety_value(self, obs: PyTorchObs) -> Tensor:
        """V_h(x) = Q_h(x, pi_h(x), mu_h(x)) [B]: the learned set is where it is >= 0."""
        return self.safety_critic_target.values(obs, self.followers.safety_pair(obs)).amin(0)

    def q_safety_layers(self) -> list[tuple[Layer, ...]]:
        """The networks of Q_h(x, u, d), of which the least counts, for `wrappers.shield.switch`.

        Raises:
            ValueError: there is no safety value.
        """
        if not self.has_safety:
            raise ValueError("there is no safety value: constraint='none' learns none")
        ensemble = self.safety_critic_target.ensemble
        return [sequential_layers(ensemble.member(k)) for k in range(ensemble.n_members)]

    @torch.no_grad()
    def q_safety(self, observation: Any) -> np.ndarray:
        """V_h of observations, an array [B] (one number for one observation).

        Raises:
            ValueError: there is no safety value.
        """
        if not self.has_safety:
            raise ValueError("there is no safety value: constraint='none' learns none")
        obs, is_many = self.obs_to_tensor(observation)
        values = self.safety_value(obs).cpu().numpy()
        return values if is_many else values[0]

    @torch.no_grad()
    def disturbance(self, observation: Any, adversary: str = "safety") -> np.ndarray:
        """What an adversary answers to observations, [B, D] in the environment's units.

        Args:
            observation: one, or several.
            adversary: "safety" (mu_h, against Q_h) or "task" (mu, against the return).

        Raises:
            ValueError: another name, or an agent without that adversary.
        """
        choose("adversary", adversary, ADVERSARIES)
        followers = self.followers
        player = followers.safety_adversary if adversary == "safety" else followers.adversary
        if player is None:
            raise ValueError(f"this agent learned without a {adversary} adversary")
        obs, is_many = self.obs_to_tensor(observation)
        found = self.unscale_disturbance(player(obs).cpu().numpy())
        return found if is_many else found[0]

    def unscale_disturbance(self, unit: np.ndarray) -> np.ndarray:
        """From [-1, 1] to the environment's units."""
        low, high = np.asarray(self.disturbance_ends, dtype=np.float32)
        return np.clip(low + 0.5 * (unit + 1) * (high - low), low, high).astype(np.float32)

    def victim(self) -> Victim:
        """The acting policy and its critics as an attack sees them, in the environment's units."""
        return drac_victim(self)

    def policy_layers(self) -> PolicyLayers:
        """The acting task policy's network, for bounds.

        Raises:
            NotCoveredError: with the shield on, what acts is no plain network.
        """
        if self.shield:
            raise NotCoveredError("DRAC with its shield", "the switch is no plain network")
        return self.followers.actor.policy_layers()

    # ------------------------------------------------------------------ Stable-Baselines3

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = ["net_arch", "activation_fn", "n_critics", "constraint", "safety_policy"]
        own += ["shield", "shield_margin", "features_extractor_class"]
        own += ["features_extractor_kwargs", "optimizer_class", "optimizer_kwargs"]
        return {
            **super()._get_constructor_parameters(),
            **{name: getattr(self, name) for name in own},
            "disturbance": self.disturbance_ends,
            "lr_schedule": self._dummy_schedule,
        }

    def set_training_mode(self, mode: bool) -> None:
        """Targets stay in evaluation mode."""
        for name in (*self.spec.actors, *self.spec.critics):
            getattr(self, name).set_training_mode(mode)
        self.training = mode


def _unit_box(size: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


def _extractor(space: spaces.Space) -> type[BaseFeaturesExtractor]:
    if isinstance(space, spaces.Dict):
        return CombinedExtractor
    return NatureCNN if is_image_space(space) else FlattenExtractor
