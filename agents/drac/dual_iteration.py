"""One update of DRAC: the four steps of dual policy iteration on a batch, in the paper's order."""

from __future__ import annotations

from typing import NamedTuple

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.drac.losses import (
    ascent_multiplier_loss,
    augmented_lagrangian,
    augmented_multiplier,
    clamped_safety_target,
    imitation,
    inside_set,
    lagrangian,
    safety_target,
    split_multiplier_loss,
    split_policy_loss,
    task_target,
)
from safer_gym.agents.drac.options import MultiplierOptions, SafetyOptions, UpdateOptions
from safer_gym.agents.drac.policies import DRACPolicy
from safer_gym.agents.networks.plain import judged
from safer_gym.agents.sac_lagrangian.losses import temperature_loss
from safer_gym.agents.td import polyak
from safer_gym.agents.updates import descend, fit_critic, take_step

Record = dict[str, Tensor]


class Batch(NamedTuple):
    """Transitions, with the pair (u, a) as the critics take it."""

    samples: CostSamples
    """Its actions are pairs [B, A + D]."""
    h: Tensor
    next_h: Tensor
    """[B]; zeros where there is no safety value."""

    @classmethod
    def of(cls, data: CostSamples) -> Batch:
        """From what the buffer keeps."""
        signals, actions = data.signals, data.actions
        if "disturbance" in signals:
            actions = torch.cat([actions, signals["disturbance"]], dim=1)
        h, next_h = (signals.get(name, data.rewards).squeeze(1) for name in ("h", "next_h"))
        return cls(data._replace(actions=actions), h, next_h)


class DualIteration:
    """The update of a policy; it keeps nothing but what the policy has.

    Args:
        policy: the networks.
        safety, multiplier, update: see the options.
        tau: rate at which target critics follow.
    """

    def __init__(
        self,
        policy: DRACPolicy,
        safety: SafetyOptions,
        multiplier: MultiplierOptions,
        update: UpdateOptions,
        tau: float,
    ) -> None:
        self.policy, self.safety, self.multiplier, self.update = policy, safety, multiplier, update
        self.tau = tau
        n_actions = policy.actor.mean_head.out_features
        entropy = update.target_entropy
        self.target_entropy = float(-n_actions if entropy is None else entropy)
        spec = policy.spec
        self._tracked = [
            (_weights(policy, names, ""), _weights(policy, names, "_target"), rate)
            for names, rate in (
                ([name for name, net in spec.critics.items() if net.has_target], tau),
                (list(spec.actors), update.average),
            )
        ]

    def step(self, data: CostSamples, number: int, safety_discount: float) -> Record:
        """All that one batch teaches; returns what is logged.

        Args:
            number: of this update, from 0.
            safety_discount: the present g_h.
        """
        batch, record = Batch.of(data), {}
        value = None
        if self.policy.has_safety:
            record["safety_critic_loss"] = self.evaluate_safety(batch, safety_discount)
            value = self.improve_safety(batch.samples.observations)
            record |= {"safety_value": value.mean(), "inside_share": self._inside(value).float().mean()}
        record["critic_loss"] = self.evaluate_task(batch.samples)
        record |= self.improve_task(batch.samples.observations, value, number)
        for weights, targets, rate in self._tracked:
            polyak(weights, targets, rate)
        return record

    # ------------------------------------------------------------------ the safety policy

    def evaluate_safety(self, batch: Batch, discount: float) -> Tensor:
        """Step 1: Q_h towards T_h of the safety policy and its adversary."""
        policy, data = self.policy, batch.samples
        with torch.no_grad():
            pair = policy.players.safety_pair(data.next_observations)
            following = policy.safety_critic_target.values(data.next_observations, pair).amin(0)
            ended = data.dones.squeeze(1)
            if self.safety.safety_target == "standard":
                target = safety_target(batch.h, batch.next_h, following, ended, discount)
            else:
                target = clamped_safety_target(batch.next_h, following, ended, discount)
        return self._fit("safety critic", policy.safety_critic, data, target)

    def improve_safety(self, obs: PyTorchObs) -> Tensor:
        """Step 2: pi_h ascends Q_h(x, pi_h(x), mu_h(x)) and mu_h descends it; returns it, [B].

        One backward pass of the critic serves both players.
        """
        players = self.policy.players
        pair = players.safety_pair(obs)
        value = judged(self.policy.safety_critic, obs, pair).amin(0)
        n_actions = players.actor.mean_head.out_features
        (slope,) = torch.autograd.grad(value.mean(), pair, retain_graph=False)
        slope[:, :n_actions] *= -1
        movers = {
            "safety policy": players.safety_actor,
            "safety adversary": players.safety_adversary,
        }
        for net in movers.values():
            if net is not None:
                net.optimizer.zero_grad(set_to_none=True)
        pair.backward(slope)
        for name, net in movers.items():
            if net is not None:
                take_step(name, net, value.mean(), self.update.max_grad_norm)
        return value.detach()

    # ------------------------------------------------------------------ the task policy

    def evaluate_task(self, data: CostSamples) -> Tensor:
        """Step 3: Q towards the soft return of the task policy and its adversary."""
        policy, next_obs = self.policy, data.next_observations
        rewards, discounts, ended = (
            part.squeeze(1) for part in (data.rewards, data.discounts, data.dones)
        )
        with torch.no_grad():
            control, log_prob = policy.actor.sample(next_obs)
            pair = policy.players.task_pair(next_obs, control)
            following = policy.critic_target.values(next_obs, pair).amin(0)
            entropy = -self._temperature() * log_prob
            target = task_target(rewards, discounts, ended, following, entropy)
        return self._fit("critic", policy.critic, data, target)

    def improve_task(self, obs: PyTorchObs, value: Tensor | None, number: int) -> Record:
        """Step 4: mu descends Q; pi follows Q within the set, and safety outside of it.

        Args:
            value: V_h(x) [B].
            number: of the update.
        """
        moves = number % self.update.policy_delay == 0
        control, log_prob = self.policy.actor.sample(obs)
        record = self._renew_temperature(log_prob)
        q = self._attacked_value(obs, control, keeps_graph=moves)
        if moves:
            loss = self._policy_loss(obs, control, self._temperature() * log_prob, q, value)
            record["actor_loss"] = self._descend("actor", self.policy.actor, loss)
        renews = number % self.multiplier.multiplier_delay == 0
        if value is not None and renews:
            record |= self._renew_multiplier(obs, control.detach(), value)
        return record

    def _attacked_value(self, obs: PyTorchObs, control: Tensor, *, keeps_graph: bool) -> Tensor:
        """Q(x, u, mu(x)) [B], after a step of mu against it."""
        adversary = self.policy.players.adversary
        if adversary is None:
            return judged(self.policy.critic, obs, control).amin(0)
        move = adversary(obs)
        held = move.detach().requires_grad_(True)
        q = judged(self.policy.critic, obs, torch.cat([control, held], dim=1)).amin(0)
        (slope,) = torch.autograd.grad(q.mean(), held, retain_graph=keeps_graph)
        adversary.optimizer.zero_grad(set_to_none=True)
        move.backward(slope)
        take_step("adversary", adversary, q.mean(), self.update.max_grad_norm)
        return q

    def _policy_loss(
        self,
        obs: PyTorchObs,
        control: Tensor,
        penalty: Tensor,
        q: Tensor,
        value: Tensor | None,
    ) -> Tensor:
        if value is None:
            return (penalty - q).mean()
        q_safety = self._safety_of(obs, control)
        constraint = q_safety - self.multiplier.constraint_margin
        if self.multiplier.constraint == "augmented":
            rho = self.multiplier.rho
            gain = augmented_lagrangian(q, constraint, self.policy.lam, rho)
        else:
            gain = lagrangian(q, constraint, self._multiplier(obs))
        if self.safety.outside == "maximise":
            outside = penalty - q_safety
        else:
            outside = imitation(control, self.policy.players.safety_control(obs))
        return split_policy_loss(self._inside(value), penalty - gain, outside)

    def _safety_of(self, obs: PyTorchObs, control: Tensor) -> Tensor:
        """Q_h(x, u, mu_h(x)) [B]."""
        adversary = self.policy.players.safety_adversary
        with torch.no_grad():
            move = None if adversary is None else adversary(obs)
        pair = control if move is None else torch.cat([control, move], dim=1)
        return judged(self.policy.safety_critic, obs, pair).amin(0)

    def _inside(self, value: Tensor) -> Tensor:
        """Where the constraint is one: plain ascent counts every state as inside."""
        if self.multiplier.multiplier_loss == "ascent":
            return torch.ones_like(value, dtype=torch.bool)
        return inside_set(value, self.safety.region_margin)

    # ------------------------------------------------------------------ numbers

    def _multiplier(self, obs: PyTorchObs) -> Tensor:
        """lambda(x) [B], or one number []."""
        with torch.no_grad():
            is_net = self.multiplier.constraint == "network"
            lam: Tensor = self.policy.multiplier(obs) if is_net else self.policy.multiplier()
        return lam.clamp(max=self.multiplier.max_lam)

    def _renew_multiplier(self, obs: PyTorchObs, control: Tensor, value: Tensor) -> Record:
        """A step of lambda on what Q_h says of the task policy's controls."""
        policy, options, inside = self.policy, self.multiplier, self._inside(value)
        with torch.no_grad():
            q_safety = self._safety_of(obs, control) - options.constraint_margin
        if options.constraint == "augmented":
            if not inside.any():
                return {}
            rest = (options.rho, options.augmented_rate, options.max_lam)
            policy.lam.copy_(augmented_multiplier(policy.lam, q_safety[inside], *rest))
            return {"lagrange_multiplier": policy.lam.clone()}
        if options.constraint == "scalar":
            lam = policy.multiplier().expand_as(q_safety)
            loss = split_multiplier_loss(lam, q_safety, inside, options.max_lam).inside
        else:
            lam = policy.multiplier(obs)
            if options.multiplier_loss == "split":
                parts = split_multiplier_loss(lam, q_safety, inside, options.max_lam)
                loss = parts.inside + parts.outside
            else:
                loss = ascent_multiplier_loss(lam, q_safety)
        self._descend("multiplier", policy.multiplier, loss)
        return {"lagrange_multiplier": lam.mean(), "multiplier_loss": loss}

    def _temperature(self) -> Tensor:
        """alpha, without its gradient."""
        if self.update.ent_coef == "auto":
            return self.policy.temperature().detach()
        return torch.tensor(float(self.update.ent_coef))

    def _renew_temperature(self, log_prob: Tensor) -> Record:
        if self.update.ent_coef == "auto":
            temperature = self.policy.temperature
            loss = temperature_loss(temperature.log, log_prob, self.target_entropy)
            self._descend("temperature", temperature, loss)
        return {"ent_coef": self._temperature()}

    # ------------------------------------------------------------------ steps

    def _fit(self, name: str, net: nn.Module, data: CostSamples, target: Tensor) -> Tensor:
        return fit_critic(name, net, data, target, self.update.max_grad_norm)

    def _descend(self, name: str, net: nn.Module, loss: Tensor) -> Tensor:
        descend(name, loss, net, self.update.max_grad_norm)
        return loss.detach()


def _weights(policy: DRACPolicy, names: list[str], suffix: str) -> list[Tensor]:
    return [weight for name in names for weight in getattr(policy, name + suffix).parameters()]
