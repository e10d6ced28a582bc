"""zuko's flows in the place of PARROT's coupling layers; needs the extra `skills`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from safer_gym.agents.skills.flow import EDGE, Flow, log_slope
from safer_gym.choices import choose

FLOWS = {"realnvp": "RealNVP", "nsf": "NSF"}


class ZukoFlow(Flow):
    """A conditional flow of zuko, with the tanh onto the action box behind it.

    Args: as those of `CouplingFlow`, and:
        name: "realnvp" or "nsf" (neural spline flow).

    Raises:
        ModuleNotFoundError: zuko is not installed; says how.
    """

    def __init__(self, name: str, size: int, context: int, layers: int, hidden: int) -> None:
        super().__init__()
        try:
            import zuko
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"flow={name!r} needs zuko: pip install 'safer-gym[skills]'"
            ) from error
        kind = getattr(zuko.flows, FLOWS[choose("flow", name, FLOWS)])
        self.size = size
        self.flow = kind(size, context, transforms=layers, hidden_features=(hidden, hidden))

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f(z) [B, A] and log |det df/dz| [B]."""
        x, log_det = self._transform(context).inv.call_and_ladj(z)
        return x.tanh(), log_det + log_slope(x)

    def inverse(self, actions: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f^-1 of actions in [-1, 1]^A, and log |det df^-1/da| [B]."""
        x = actions.clamp(EDGE - 1, 1 - EDGE).atanh()
        z, log_det = self._transform(context).call_and_ladj(x)
        return z, log_det - log_slope(x)

    def _transform(self, context: Tensor) -> Any:
        return self.flow(context).transform
