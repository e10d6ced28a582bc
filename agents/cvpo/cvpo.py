"""Constrained variational policy optimisation (Liu et al., ICML 2022; SAFER's Algorithm 6)."""

from __future__ import annotations

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.certified.penalty import certified_loss
from safer_gym.agents.constrained import Constrained
from safer_gym.agents.cvpo.mstep import Posterior
from safer_gym.agents.cvpo.variational import Variational
from safer_gym.agents.off_policy import OffPolicy
from safer_gym.agents.updates import descend


class CVPO(Variational, OffPolicy, Constrained, OffPolicyAlgorithm):
    """E-step of Eq. 4 to 6, vanilla M-step of Eq. 7. Arguments: see `Variational`.

    The paper's off-policy baselines are options: `collection_attack="gaussian"` is CVPO-random,
    `collection_attack="mc"` ADV-CVPO, `batch_attack="mc"` ADV-EM-CVPO.
    """

    def _maximisation(self, obs: PyTorchObs, posterior: Posterior) -> dict[str, Tensor | float]:
        for _ in range(self.mstep.m_steps):
            policy = self.actor.distribution(obs)
            loss, kl = self._vanilla_loss(policy, posterior)
            certified, record = certified_loss(self, obs, policy)
            descend("actor", loss + certified, self.actor, self.critics.max_grad_norm)
        return self._step_record(loss, kl) | record
