"""A cost critic beside the critics of one of Stable-Baselines3's off-policy policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from stable_baselines3.common.type_aliases import Schedule

from safer_gym.agents.arguments import require_known
from safer_gym.agents.networks.critics import QEnsemble

if TYPE_CHECKING:  # mixed in before a policy of Stable-Baselines3
    _Base = BasePolicy
else:
    _Base = object


class CostCritic(_Base):
    """Mixed in before `BASE`, a policy of Stable-Baselines3 with actor and critics. Abstract.

    All critics are ours, which score many actions at once.

    Args are those of `BASE`, and:
        n_cost_critics: cost critics, beside the `n_critics` of the reward.

    Raises:
        ValueError: for an option that there is not; names the nearest one.
    """

    BASE: ClassVar[type[BasePolicy]]
    ACTOR: ClassVar[type[BasePolicy]]
    """Of `BASE`'s actors, one whose `forward` takes `deterministic`."""
    default_extractor: ClassVar[type[BaseFeaturesExtractor]] = FlattenExtractor
    critic: Any  # a QEnsemble, as its target; Stable-Baselines3 says otherwise
    critic_target: Any
    cost_critic: QEnsemble
    cost_critic_target: QEnsemble
    actor: Any
    actor_kwargs: dict[str, Any]
    critic_kwargs: dict[str, Any]
    share_features_extractor: bool

    def __init__(self, *args: Any, n_cost_critics: int = 1, **kwargs: Any) -> None:
        require_known("policy_kwargs", kwargs, self.BASE.__init__, CostCritic.__init__)
        self.n_cost_critics = n_cost_critics
        kwargs.setdefault("features_extractor_class", self.default_extractor)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        shared = self.actor.features_extractor if self.share_features_extractor else None
        self.cost_critic = self._ensemble(self.n_cost_critics, shared)
        self.cost_critic_target = self._ensemble(self.n_cost_critics, None)
        self.cost_critic_target.load_state_dict(self.cost_critic.state_dict())
        self.cost_critic_target.set_training_mode(False)
        own = [
            weight
            for name, weight in self.cost_critic.named_parameters()
            if shared is None or "features_extractor" not in name
        ]
        options: dict[str, Any] = {"lr": lr_schedule(1)} | self.optimizer_kwargs
        self.cost_critic.optimizer = self.optimizer_class(own, **options)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """The policy itself."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return self.ACTOR(**kwargs).to(self.device)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """The reward's critics."""
        return self._ensemble(self.critic_kwargs["n_critics"], features_extractor)

    def _ensemble(self, n_critics: int, extractor: BaseFeaturesExtractor | None) -> QEnsemble:
        kwargs = self._update_features_extractor(self.critic_kwargs, extractor)
        return QEnsemble(**(kwargs | {"n_critics": n_critics})).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "n_cost_critics": self.n_cost_critics}

    def set_training_mode(self, mode: bool) -> None:
        """Targets stay in evaluation mode."""
        super().set_training_mode(mode)
        self.cost_critic.set_training_mode(mode)
