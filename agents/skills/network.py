"""A policy that was learned on latent actions, and its prior, as one network with a memory.

It is what is packaged, attacked through its gradients and certified: `forward(obs, *memory)`
returns the action and the memory, as the doors of this package ask a module with a memory.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from safer_gym.agents.model_file import replacing
from safer_gym.agents.skills.latent import built, described, layers_of, of_relu
from safer_gym.agents.skills.prior import PriorShape, SkillPrior, Window
from safer_gym.domains import FLAG, POSITIVE, require

ABOUT, WEIGHTS = "skill.json", "weights.pth"
"""The entries of a file."""
FIRST, FORMAT = "safer-gym skill policy 1", "safer-gym skill policy 2"
PROBES, TOLERANCE = 100, 1e-5
"""Features at which a network is held against its model, and by how much z / eta may differ."""


class SkillNetwork(nn.Module):
    """Does f(z; s, E[c | window]), where the latent policy chooses z by the features of s.

    Args:
        prior: what it acts through.
        latent: layers from features to a latent action; see `KINDS`.
        eta: bound on latent actions.
        observation_space, action_space: the environment's; actions in a bounded Box.
        squashed: whether z = eta tanh(latent); otherwise it is cut to the bound.

    Raises:
        TypeError, ValueError: eta is no finite number > 0, or a layer is not known.
    """

    _centre: Tensor
    _half: Tensor

    def __init__(
        self,
        prior: SkillPrior,
        latent: nn.Sequential,
        eta: float,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        *,
        squashed: bool = True,
    ) -> None:
        require(POSITIVE, eta=eta)
        require(FLAG, squashed=squashed)
        super().__init__()
        self.layers = described(latent)
        self.prior, self.latent, self.eta, self.squashed = prior, latent, float(eta), squashed
        self.observation_space, self.action_space = observation_space, action_space
        low, high = (torch.as_tensor(end) for end in (action_space.low, action_space.high))
        self.register_buffer("_centre", (high + low) / 2, persistent=False)
        self.register_buffer("_half", (high - low) / 2, persistent=False)

    @classmethod
    def of(
        cls,
        model: Any,
        prior: SkillPrior,
        eta: float,
        observation_space: spaces.Box,
        action_space: spaces.Box,
    ) -> SkillNetwork:
        """The mode of a model that was trained on `SkillActions`.

        Args:
            model: of Stable-Baselines3 or sb3-contrib; see `layers_of`.
            prior, eta: those of its environment.
            observation_space, action_space: the environment's.

        Raises:
            TypeError: a model of another algorithm.
            ValueError: it cannot be written as layers, eta is not its own, or it acts otherwise
                than its layers do.
        """
        require(POSITIVE, eta=eta)
        box = spaces.Box(-eta, eta, (prior.shape.action_size,), np.float32)
        layers = layers_of(model)
        if model.action_space != box:
            raise ValueError(
                f"eta must be that of the model's environment, whose latent actions lie in "
                f"{model.action_space}; got {eta!r}"
            )
        squashed = bool(model.policy.squash_output)
        network = cls(prior, layers, eta, observation_space, action_space, squashed=squashed)
        _check_acts_as(model, network)
        return network.eval().requires_grad_(False)

    def choose(self, features: Tensor) -> Tensor:
        """Latent actions [B, A] at features [B, F]."""
        raw = self.latent(features)
        return self.eta * raw.tanh() if self.squashed else raw.clamp(-self.eta, self.eta)

    def forward(
        self, obs: Tensor, features: Tensor | None = None, length: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions [B, A] at observations [B, O], and the memory after them; see `Window`."""
        window, starts = None, torch.full((len(obs),), features is None, device=obs.device)
        if features is not None and length is not None:
            window = Window(features, length)
        window = self.prior.remember(window, obs, starts)
        z = self.choose(window.features[:, -1])
        return self._centre + self._half * self.prior.act(z, window), *window

    def save(self, path: str | Path) -> None:
        """Write what it is as JSON, and its weights; whole or not at all."""
        about = {
            "format": FORMAT,
            "prior": asdict(self.prior.shape),
            "latent": self.layers,
            "squashed": self.squashed,
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
            if about["format"] not in (FORMAT, FIRST):
                raise ValueError(f"its format is not {FORMAT!r}")
            shape = dict(about["prior"])
            shape["observation_shape"] = tuple(shape["observation_shape"])
            boxes = [_box(about[name]) for name in ("observations", "actions")]
            prior = SkillPrior(PriorShape(**shape))
            if about["format"] == FIRST:
                sizes = prior.encoder.features, *about["hidden"], prior.shape.action_size
                about = {**about, "latent": of_relu(sizes), "squashed": True}
            latent, squashed = built(about["latent"]), about["squashed"]
            network = cls(prior, latent, about["eta"], *boxes, squashed=squashed)
            network.load_state_dict(dict(weights))
        except (KeyError, TypeError, RuntimeError, AttributeError, AssertionError) as error:
            raise ValueError(f"no skill policy: {error!r}") from error
        return network.eval().requires_grad_(False)


def _check_acts_as(model: Any, network: SkillNetwork) -> None:
    """A hook or a method of the model's own may do what no layer shows."""
    chance = torch.Generator().manual_seed(0)
    features = torch.randn(PROBES, network.prior.encoder.features, generator=chance)
    asked, _ = model.predict(features.numpy(), deterministic=True)
    with torch.no_grad():
        found = network.choose(features).numpy()
    difference = float(np.abs(found - asked).max()) / network.eta
    if not difference <= TOLERANCE:
        raise ValueError(
            f"model acts otherwise than its layers do: z / eta differs by {difference:g}, where at "
            f"most {TOLERANCE:g} is allowed; was its policy altered?"
        )


def _ends(box: spaces.Box) -> list[list[float]]:
    return [box.low.tolist(), box.high.tolist()]


def _box(ends: Any) -> spaces.Box:
    low, high = (np.array(end, np.float32) for end in ends)
    return spaces.Box(low, high, dtype=np.float32)
