"""Policies that act through a skill prior: their action is a latent z, which the prior decodes."""

from safer_gym.wrappers.skills.skill_actions import SkillActions
from safer_gym.wrappers.skills.skill_policy import SkillPolicy

__all__ = ["SkillActions", "SkillPolicy"]
