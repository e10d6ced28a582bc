"""The skill prior: a conditional flow over actions, and the posterior over a safety variable."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from safer_gym.agents.model_file import replacing
from safer_gym.agents.skills.encoder import make_encoder
from safer_gym.agents.skills.flow import CouplingFlow
from safer_gym.agents.skills.safety_variable import SafetyVariable
from safer_gym.agents.skills.zuko_flow import FLOWS, ZukoFlow
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, COUNT, require
from safer_gym.types import Gaussian

COUPLING = "coupling"
FORMAT = "safer-gym skill prior 1"


@dataclass(frozen=True)
class PriorShape:
    """What a prior is built from.

    Args:
        observation_shape: (O,) or (C, H, W).
        action_size: entries A of an action.
        window: observations W that the safety variable is inferred from, the newest with them.
        safety_size: entries C of the safety variable; 0 is PARROT, without one.
        flow: "coupling" (PARROT's layers), or zuko's "realnvp" or "nsf".
        layers: of the flow. The paper has 3, PARROT's code 4.
        hidden: units of the flow's hidden layers.
    """

    observation_shape: tuple[int, ...]
    action_size: int
    window: int = 16
    safety_size: int = 8
    flow: str = COUPLING
    layers: int = 3
    hidden: int = 128

    def __post_init__(self) -> None:
        choose("flow", self.flow, (COUPLING, *FLOWS))
        require(AT_LEAST_ONE, action_size=self.action_size, window=self.window)
        require(AT_LEAST_ONE, layers=self.layers, hidden=self.hidden)
        require(COUNT, safety_size=self.safety_size)


class Window(NamedTuple):
    """The features of the last W observations of each of B episodes, the newest last."""

    features: Tensor
    """[B, W, F]; zeros before an episode's first."""
    length: Tensor
    """How many were seen, at most W [B]."""


class SkillPrior(nn.Module):
    """f(z; s, c) and q(c | window). Actions are in [-1, 1]^A.

    Args:
        shape: see `PriorShape`.
    """

    def __init__(self, shape: PriorShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = make_encoder(shape.observation_shape)
        features = self.encoder.features
        self.safety = (
            SafetyVariable(features, shape.window, shape.safety_size) if shape.safety_size else None
        )
        arguments = shape.action_size, features + shape.safety_size, shape.layers, shape.hidden
        self.flow = (
            CouplingFlow(*arguments) if shape.flow == COUPLING else ZukoFlow(shape.flow, *arguments)
        )

    def features(self, observations: Tensor) -> Tensor:
        """[B, F] of observations [B, *O]."""
        return self.encoder(observations)

    def posterior(self, window: Tensor, length: Tensor) -> Gaussian | None:
        """q(c | window); None without a safety variable.

        Args:
            window: features [B, W, F], oldest first.
            length: how many of a window's last rows were seen [B]; those before count as zero
                (the paper pads with zeros at the beginning of an episode).
        """
        if self.safety is None:
            return None
        rows = torch.arange(window.shape[1], device=window.device)
        seen = rows >= window.shape[1] - length[:, None]
        return self.safety(window * seen[..., None])

    def context(self, features: Tensor, c: Tensor | None) -> Tensor:
        """What the flow conditions on, [B, X]."""
        return features if c is None else torch.cat([features, c], dim=1)

    def log_prob(self, actions: Tensor, features: Tensor, c: Tensor | None) -> Tensor:
        """log p(a | s, c) in nats [B]; Eq. (2)."""
        return self.flow.log_prob(actions, self.context(features, c))

    def decode(self, z: Tensor, features: Tensor, c: Tensor | None) -> Tensor:
        """The action f(z; s, c) [B, A]."""
        return self.flow(z, self.context(features, c))[0]

    def remember(self, window: Window | None, observations: Tensor, starts: Tensor) -> Window:
        """The window with new observations.

        Args:
            window: None before the first.
            observations: [B, *O]
            starts: which of them begin an episode, whose window holds nothing else [B].
        """
        newest, size = self.features(observations), self.shape.window
        if window is None or len(window.length) != len(newest):
            empty = newest.new_zeros(len(newest), size, newest.shape[1])
            window = Window(empty, starts.new_zeros(len(newest), dtype=torch.long))
        keep = ~starts
        kept = window.features[:, 1:] * keep[:, None, None]
        length = (window.length * keep + 1).clamp(max=size)
        return Window(torch.cat([kept, newest[:, None]], dim=1), length)

    def act(self, z: Tensor, window: Window) -> Tensor:
        """The action f(z; s, E[c | window]) [B, A] of z [B, A], s the newest row; Algorithm 1."""
        q = self.posterior(*window)
        return self.decode(z, window.features[:, -1], None if q is None else q.mean)

    def encode(self, actions: Tensor, features: Tensor, c: Tensor | None) -> Tensor:
        """The latent action f^-1(a; s, c) [B, A]."""
        return self.flow.inverse(actions, self.context(features, c))[0]

    def save(self, path: str | Path) -> None:
        """Write shape and weights, whole or not at all."""
        content = {"format": FORMAT, "shape": asdict(self.shape), "weights": self.state_dict()}
        with replacing(Path(path), "pt") as file:
            torch.save(content, cast(Any, file))

    @classmethod
    def load(cls, path: str | Path) -> SkillPrior:
        """Read a prior as data; no code of the file is run.

        Raises:
            ValueError: the file holds no skill prior, or a broken one.
        """
        try:
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            given = dict(content["shape"])
            given["observation_shape"] = tuple(given["observation_shape"])
            prior = cls(PriorShape(**given))
            prior.load_state_dict(content["weights"])
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} holds no skill prior: {error}") from error
        return prior.eval().requires_grad_(False)
