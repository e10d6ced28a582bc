"""Safe skill priors (Slack et al., 2022), whose method the paper calls SAFER; here SkillSAFER."""

from safer_gym.agents.skills.latent_bound import exact_bound, sampled_bound
from safer_gym.agents.skills.losses import contrastive_loss
from safer_gym.agents.skills.prior import PriorShape, SkillPrior
from safer_gym.agents.skills.prior_explore import PriorExplore
from safer_gym.agents.skills.train import PriorTraining, train_prior

__all__ = [
    "PriorExplore",
    "PriorShape",
    "PriorTraining",
    "SkillPrior",
    "contrastive_loss",
    "exact_bound",
    "sampled_bound",
    "train_prior",
]
