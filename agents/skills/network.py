"""A policy that was learned on latent actions, and its prior, as one network with a memory.

It is what is packaged, attacked through its gradients and certified: `forward(obs, *memory)`
returns the action and the memory, as the doors of this package ask a module with a memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import SAC
from torch import Tensor, nn

from safer_gym.agents.model_file import replacing
from safer_gym.agents.skills.prior import PriorShape, SkillPrior, Window

ABOUT, WEIGHTS = "skill.json", "weights.pth"
"""The entries of a file."""
FORMAT = "safer-gym skill policy 1"


class SkillNetwork(nn.Module):
    """Does f(z; s, E[c | window]) with z = eta tanh(latent(features of s)).

    Args:
        prior: what it acts through.
        hidden: units of the latent policy's hidden layers, ReLU between them.
        eta: bound on latent actions.
        observation_space, action_space: the environment's; actions in a bounded Box.
    """

    _centre: Tensor
    _half: Tensor

    def __init__(
        self,
        prior: SkillPrior,
        hidden: Sequence[int],
        eta: float,
        observation_space: spaces.Box,
        action_space: spaces.Box,
    ) -> None:
        super().__init__()
        self.prior, self.hidden, self.eta = prior, tuple(hidden), float(eta)
        self.observation_space, self.action_space = observation_space, action_space
        sizes = (prior.encoder.features, *self.hidden)
        layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
        self.latent = nn.Sequential(*layers, nn.Linear(sizes[-1], prior.shape.action_size))
        low, high = (torch.as_tensor(end) for end in (action_space.low, action_space.high))
        self.register_buffer("_centre", (high + low) / 2, persistent=False)
        self.register_buffer("_half", (high - low) / 2, persistent=False)

    @classmethod
    def of(
        cls,
        model: SAC,
        prior: SkillPrior,
        eta: float,
        observation_space: spaces.Box,
        action_space: spaces.Box,
    ) -> SkillNetwork:
        """The mode of a model of SAC that was trained on `SkillActions`.

        Args:
            observation_space, action_space: the environment's.
        """
        actor = model.policy.actor
        hidden = [part.out_features for part in actor.latent_pi if isinstance(part, nn.Linear)]
        network = cls(prior, hidden, eta, observation_space, action_space)
        trained = nn.Sequential(*actor.latent_pi, actor.mu).state_dict()
        network.latent.load_state_dict(trained)
        return network.eval().requires_grad_(False)

    def forward(
        self, obs: Tensor, features: Tensor | None = None, length: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions [B, A] at observations [B, O], and the memory after them; see `Window`."""
        window, starts = None, torch.full((len(obs),), features is None, device=obs.device)
        if features is not None and length is not None:
            window = Window(features, length)
        window = self.prior.remember(window, obs, starts)
        z = self.eta * self.latent(window.features[:, -1]).tanh()
        return self._centre + self._half * self.prior.act(z, window), *window

    def save(self, path: str | Path) -> None:
        """Write what it is as JSON, and its weights; whole or not at all."""
        about = {
            "format": FORMAT,
            "prior": asdict(self.prior.shape),
            "hidden": list(self.hidden),
            "eta": self.eta,
            "observations": _ends(self.observation_space),
            "actions": _ends(self.action_space),
        }
        weights = BytesIO()
        torch.save(self.state_dict(), weights)
        with replacing(Path(path), "zip") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr(ABOUT, json.dumps(about, indent=1))
            archive.writestr(WEIGHTS, weights.getvalue(), zipfile.ZIP_DEFLATED)

    @classmethod
    def built(cls, about: Mapping[str, Any], weights: Mapping[str, Tensor]) -> SkillNetwork:
        """From the content of a file.

        Raises:
            ValueError: it is damaged.
        """
        try:
            if about["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            shape = dict(about["prior"])
            shape["observation_shape"] = tuple(shape["observation_shape"])
            boxes = [_box(about[name]) for name in ("observations", "actions")]
            network = cls(SkillPrior(PriorShape(**shape)), about["hidden"], about["eta"], *boxes)
            network.load_state_dict(dict(weights))
        except (KeyError, TypeError, RuntimeError, AttributeError, AssertionError) as error:
            raise ValueError(f"no skill policy: {error!r}") from error
        return network.eval().requires_grad_(False)


def _ends(box: spaces.Box) -> list[list[float]]:
    return [box.low.tolist(), box.high.tolist()]


def _box(ends: Any) -> spaces.Box:
    low, high = (np.array(end, np.float32) for end in ends)
    return spaces.Box(low, high, dtype=np.float32)
