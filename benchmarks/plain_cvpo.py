"""The straightforward version of one CVPO or SAFER update, to compare with.

Written as papers' own code usually is: one module a network, Python loops over networks, states
repeated and joined with their actions [N * B, O + A], a dual solved by SLSQP with numerical
gradients, `MultivariateNormal` with full covariances, log-likelihoods of all N samples in each
M-step, Adam tensor by tensor, targets averaged tensor by tensor. The arithmetic is the package's,
and a test holds both to equal results.
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from safer_gym.agents.cvpo.variational import Variational
from safer_gym.agents.safer import SAFER


class Batch(NamedTuple):
    """A batch of transitions: states [B, O], actions [B, A], the rest [B]."""

    obs: Tensor
    actions: Tensor
    next_obs: Tensor
    rewards: Tensor
    costs: Tensor
    discounts: Tensor
    ended: Tensor


class PlainActor(nn.Module):
    """A Gaussian with bounded mean, as a full-covariance distribution object."""

    def __init__(self, obs_dim: int, action_dim: int, width: int, stds: tuple[float, float]):
        super().__init__()
        self.body = _mlp(obs_dim, width)
        self.mean, self.scale = nn.Linear(width, action_dim), nn.Linear(width, action_dim)
        self.stds, self.offset = stds, 0.0

    def forward(self, obs: Tensor) -> MultivariateNormal:
        latent = self.body(obs)
        low, high = self.stds
        std = low + (high - low) * torch.sigmoid(self.scale(latent) + self.offset)
        return MultivariateNormal(torch.tanh(self.mean(latent)), scale_tril=torch.diag_embed(std))


class PlainCritic(nn.Module):
    """One action value of states and actions joined."""

    def __init__(self, obs_dim: int, action_dim: int, width: int):
        super().__init__()
        self.body = _mlp(obs_dim + action_dim, width)
        self.value = nn.Linear(width, 1)

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        joined = torch.cat([obs, actions], dim=-1)
        return self.value(self.body(joined)).squeeze(-1)


class PlainUpdate:
    """The update of `agent`, on copies of its networks and with its numbers."""

    def __init__(self, agent: Variational):
        self.agent = agent
        self.robust = isinstance(agent, SAFER)
        self.actor = _copy_actor(agent)
        self.critics = _copy_critics(agent.critic)
        self.cost_critics = _copy_critics(agent.cost_critic)
        self.actor_target = deepcopy(self.actor)
        self.critic_targets = deepcopy(self.critics)
        self.cost_targets = deepcopy(self.cost_critics)
        rate, critic_rate = agent.learning_rate, agent.critic_learning_rate
        assert isinstance(rate, float)
        self.actor_adam = _adam([self.actor], rate)
        self.critic_adam = _adam(self.critics, critic_rate or rate)
        self.cost_adam = _adam(self.cost_critics, critic_rate or rate)
        self.dual = np.array([1.0, 0.1])
        self.beta_mean = self.beta_cov = self.attacked_mean = self.attacked_cov = 0.0

    def train(self, updates: int, batch_size: int) -> None:
        """As the package's `train`, on the same buffer."""
        self.actor_target.load_state_dict(self.actor.state_dict())
        for _ in range(updates):
            self.update(self.sample(batch_size))

    def sample(self, batch_size: int) -> Batch:
        """A batch of the agent's own buffer."""
        assert self.agent.replay_buffer is not None
        data = self.agent.replay_buffer.sample(batch_size)
        return Batch(
            data.observations,
            data.actions,
            data.next_observations,
            data.rewards.squeeze(-1),
            data.costs.squeeze(-1),
            data.discounts.squeeze(-1),
            data.dones.squeeze(-1),
        )

    def update(self, batch: Batch) -> None:
        """Critics, E-step, M-steps, targets."""
        self.update_critics(batch)
        actions, weights, old = self.expectation(batch.obs)
        attacked = self.attack(batch.obs) if self.robust else None
        for _ in range(self.agent.mstep.m_steps):
            self.maximisation(batch.obs, attacked, actions, weights, old)
        self.average_targets()

    def update_critics(self, batch: Batch) -> None:
        """Eq. 58 to 60."""
        with torch.no_grad():
            action = self.actor(batch.next_obs).sample().clamp(-1.0, 1.0)
            reward = [critic(batch.next_obs, action) for critic in self.critic_targets]
            cost = [critic(batch.next_obs, action) for critic in self.cost_targets]
            alive = batch.discounts * (1.0 - batch.ended)
            reward_target = batch.rewards + alive * torch.min(torch.stack(reward), dim=0)[0]
            worst = torch.max(torch.stack(cost), dim=0)[0]
            cost_target = batch.costs + batch.discounts * worst
        for critics, adam, target in (
            (self.critics, self.critic_adam, reward_target),
            (self.cost_critics, self.cost_adam, cost_target),
        ):
            adam.zero_grad()
            loss = torch.zeros(())
            for critic in critics:
                loss = loss + ((critic(batch.obs, batch.actions) - target) ** 2).mean()
            loss.backward()
            adam.step()

    def expectation(self, obs: Tensor) -> tuple[Tensor, Tensor, MultivariateNormal]:
        """Actions [N, B, A], weights [N, B] and the old policy (Eq. 5 and 6)."""
        n, batch = self.agent.estep.n_particles, len(obs)
        with torch.no_grad():
            old = self.actor_target(obs)
            actions = old.sample((n,))
            states = obs.unsqueeze(0).expand(n, -1, -1).reshape(n * batch, -1)
            flat = actions.clamp(-1.0, 1.0).reshape(n * batch, -1)
            rewards = torch.stack([critic(states, flat) for critic in self.critic_targets])
            costs = torch.stack([critic(states, flat) for critic in self.cost_targets])
            q_reward = torch.min(rewards, dim=0)[0].view(n, batch)
            q_cost = torch.max(costs, dim=0)[0].view(n, batch)
        eta, lam = self.solve_dual(q_reward.numpy(), q_cost.numpy())
        return actions, torch.softmax((q_reward - lam * q_cost) / eta, dim=0), old

    def solve_dual(self, q_reward: np.ndarray, q_cost: np.ndarray) -> tuple[float, float]:
        """Eq. 6 by SLSQP without derivatives, from the last solution."""
        agent = self.agent

        def dual(variables: np.ndarray) -> float:
            eta, lam = variables
            combined = q_reward - lam * q_cost
            top = combined.max(axis=0)
            mean = np.exp((combined - top) / eta).mean(axis=0)
            inner = eta * np.log(mean) + top
            return float(eta * agent.estep.kl_bound_estep + lam * agent.threshold + inner.mean())

        bounds = [(1e-6, 1e5), (1e-6, agent.estep.max_lam)]
        found = minimize(
            dual,
            self.dual,
            method="SLSQP",
            bounds=bounds,
            tol=1e-3,
            options={"ftol": 1e-3, "maxiter": 10},
        )
        self.dual = found.x
        return float(found.x[0]), float(found.x[1])

    def attack(self, obs: Tensor) -> Tensor:
        """Maximum cost: steps of steepest ascent, shrunk where they fail; the best point wins."""
        agent = self.agent
        assert isinstance(agent, SAFER)
        eps = float(np.max(agent.adversary.radius(1.0 - agent._current_progress_remaining)))
        rule = agent.adversary.attack.step_rule  # type: ignore[attr-defined]
        size = torch.full((len(obs), 1), rule.step_size)
        points, best = obs.clone(), obs.clone()
        best_value = torch.full((len(obs),), -torch.inf)
        for k in range(agent.adversary.attack.steps + 1):  # type: ignore[attr-defined]
            leaf = points.detach().requires_grad_(True)
            actions = self.actor(leaf).mean
            values = torch.stack([critic(obs, actions) for critic in self.cost_critics])
            value = torch.max(values, dim=0)[0]
            value.sum().backward()
            better = value.detach() > best_value
            size = torch.where(better.unsqueeze(1), size, rule.shrink * size)
            best = torch.where(better.unsqueeze(1), points, best)
            best_value = torch.where(better, value.detach(), best_value)
            if k < agent.adversary.attack.steps:  # type: ignore[attr-defined]
                moved = points + size * eps * leaf.grad.sign()  # type: ignore[union-attr]
                points = torch.max(torch.min(moved, obs + eps), obs - eps)
        return best

    def maximisation(
        self,
        obs: Tensor,
        attacked: Tensor | None,
        actions: Tensor,
        weights: Tensor,
        old: MultivariateNormal,
    ) -> None:
        """One step of Eq. 62, decoupled into mean and covariance."""
        agent = self.agent
        new = self.actor(obs)
        kl_mean, kl_cov = _decoupled_kl(old, new)
        self.beta_mean = self._beta(self.beta_mean, kl_mean, 0)
        self.beta_cov = self._beta(self.beta_cov, kl_cov, 1)
        loss = -_likelihood(actions, weights, old, new)
        loss = loss + self.beta_mean * (kl_mean - agent.mstep.kl_bounds[0])
        loss = loss + self.beta_cov * (kl_cov - agent.mstep.kl_bounds[1])
        if attacked is not None:
            loss = loss + self._robust_loss(attacked, actions, weights, old)
        self.actor_adam.zero_grad()
        loss.backward()
        self.actor_adam.step()

    def _robust_loss(
        self, attacked: Tensor, actions: Tensor, weights: Tensor, old: MultivariateNormal
    ) -> Tensor:
        agent = self.agent
        assert isinstance(agent, SAFER)
        new = self.actor(attacked)
        kl_mean, kl_cov = _decoupled_kl(old, new)
        bounds, caps = agent.robust.bounds, agent.robust.caps
        self.attacked_mean = self._beta(self.attacked_mean, kl_mean, 0, bounds, caps)
        self.attacked_cov = self._beta(self.attacked_cov, kl_cov, 1, bounds, caps)
        fit = _likelihood(actions, weights, old, new)
        penalty = self.attacked_mean * (kl_mean - bounds[0])
        return penalty + self.attacked_cov * (kl_cov - bounds[1]) - fit

    def _beta(
        self,
        beta: float,
        kl: Tensor,
        part: int,
        bounds: tuple[float, float] | None = None,
        caps: tuple[float, float] | None = None,
    ) -> float:
        """Eq. 64 and 65."""
        bound = (bounds or self.agent.mstep.kl_bounds)[part]
        cap = (caps or self.agent.mstep.multiplier_caps)[part]
        rise = self.agent.mstep.multiplier_lrs[part] * (kl.item() - bound)
        return float(np.clip(beta + rise, 0.0, cap))

    def average_targets(self) -> None:
        """Eq. 61."""
        pairs = zip(
            self.critics + self.cost_critics, self.critic_targets + self.cost_targets, strict=True
        )
        with torch.no_grad():
            for net, target in pairs:
                for own, slow in zip(net.parameters(), target.parameters(), strict=True):
                    slow.data.copy_((1 - self.agent.tau) * slow.data + self.agent.tau * own.data)


def _likelihood(
    actions: Tensor, weights: Tensor, old: MultivariateNormal, new: MultivariateNormal
) -> Tensor:
    by_mean = MultivariateNormal(new.mean, scale_tril=old.scale_tril).log_prob(actions)
    by_covariance = MultivariateNormal(old.mean, scale_tril=new.scale_tril).log_prob(actions)
    return (weights * (by_mean + by_covariance)).sum(dim=0).mean()


def _decoupled_kl(old: MultivariateNormal, new: MultivariateNormal) -> tuple[Tensor, Tensor]:
    moved = MultivariateNormal(new.mean, scale_tril=old.scale_tril)
    reshaped = MultivariateNormal(old.mean, scale_tril=new.scale_tril)
    return kl_divergence(old, moved).mean(), kl_divergence(old, reshaped).mean()


def _mlp(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())


def _adam(nets: list[nn.Module], rate: float) -> torch.optim.Adam:
    parameters = [parameter for net in nets for parameter in net.parameters()]
    return torch.optim.Adam(parameters, lr=rate, foreach=False, fused=False)


@torch.no_grad()
def _copy_actor(agent: Variational) -> PlainActor:
    own = agent.actor
    width, obs_dim = own.mean_head.in_features, own.latent[0].in_features
    plain = PlainActor(obs_dim, own.mean_head.out_features, width, (own.min_std, own.max_std))
    plain.offset = own._std_offset
    plain.body.load_state_dict(own.latent.state_dict())
    plain.mean.load_state_dict(own.mean_head.state_dict())
    plain.scale.load_state_dict(own.scale_head.state_dict())
    return plain


@torch.no_grad()
def _copy_critics(ensemble: nn.Module) -> list[nn.Module]:
    own = ensemble.ensemble
    critics: list[nn.Module] = []
    for member in range(own.n_members):
        critic = PlainCritic(own.features_dim, own.action_dim, own.weights[0].shape[-1])
        layers = [critic.body[0], critic.body[2], critic.value]
        for layer, weight, bias in zip(layers, own.weights, own.biases, strict=True):
            layer.weight.copy_(weight[member].T)
            layer.bias.copy_(bias[member, 0])
        critics.append(critic)
    return critics
