"""TD3's policies with a cost critic."""

from __future__ import annotations

from stable_baselines3.common.torch_layers import CombinedExtractor, NatureCNN
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from safer_gym.agents.lagrangian.cost_critic import CostCritic


class LagrangianActor(Actor):
    """TD3's actor, with what a victim needs of one."""

    def forward(self, obs: PyTorchObs, deterministic: bool = True) -> Tensor:
        """The action in [-1, 1]; it is never drawn."""
        return super().forward(obs)  # type: ignore[arg-type]

    @property
    def latent(self) -> nn.Module:
        """The hidden layers."""
        return self.mu[:-2]

    @property
    def mean_head(self) -> nn.Module:
        """From the last hidden layer to the action before the tanh."""
        return self.mu[-2]


class LagrangianPolicy(CostCritic, TD3Policy):
    """TD3's policy with a cost critic; see `CostCritic`."""

    BASE, ACTOR = TD3Policy, LagrangianActor


class CnnPolicy(CostCritic, TD3Policy):
    """For image observations."""

    BASE, ACTOR = TD3Policy, LagrangianActor
    default_extractor = NatureCNN


class MultiInputPolicy(CostCritic, TD3Policy):
    """For Dict observations."""

    BASE, ACTOR = TD3Policy, LagrangianActor
    default_extractor = CombinedExtractor


MlpPolicy = LagrangianPolicy
