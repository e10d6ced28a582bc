"""What an evaluation returns: one `Outcomes` for each attack, with plain JSON forms.

Axes: n episodes, T steps of one episode, O observation, P position coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.figures.canvas import plotted
from safer_gym.conformance.figures.histograms import paint_costs
from safer_gym.conformance.formatting import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

LARGE = 2_000
"""Numbers of an observation that is still written down step by step."""


class Trace(NamedTuple):
    """One recorded episode, for pictures."""

    clean: Floats
    """What the environment said [T, O]."""
    attacked: Floats
    """What the policy was shown [T, O]."""
    positions: Floats
    """Where the agent was after each step [T, P]; [T, 0] where the environment does not say."""
    costs: Floats
    """Cost of each step [T]."""

    def to_json(self, digits: int = 4) -> dict[str, Any]:
        """Nested lists, rounded to `digits`: a picture needs no more. Observations of more than
        `LARGE` numbers are left out."""
        steps = len(self.costs)
        small = self.clean.size <= LARGE * steps
        nothing = np.zeros((steps, 0))
        shown = self if small else self._replace(clean=nothing, attacked=nothing)
        return {name: np.round(value, digits).tolist() for name, value in shown._asdict().items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trace:
        """Undo `to_json`."""
        return cls(**{name: np.asarray(data[name], dtype=np.float64) for name in cls._fields})


class Outcomes(NamedTuple):
    """What one attack did to one policy, episode by episode; entry i started from seed + i."""

    attack: str
    eps: float
    """Radius of the attack's ball; the largest one where the dimensions differ."""
    norm: str
    returns: Floats
    """Undiscounted reward of each episode [n]."""
    costs: Floats
    """Undiscounted cost of each episode [n]."""
    lengths: NDArray[np.int64]
    """Steps of each episode [n]."""
    seconds: float
    """Wall time of the whole evaluation."""
    traces: tuple[Trace, ...] = ()
    """Records of the first episodes, as many as were asked for."""
    channel: str = "observation"
    """What the attack moved."""
    units: str = "raw"
    """What `eps` counts: "raw" units of the observation, or deviations of the policy's VecNormalize
    ("normalised")."""
    worst_h: Floats = np.zeros(0)
    """Lowest `info["h"]` of each episode, that of its first state included [n]; empty where the
    environment reports none. Below 0 it is the depth of a violation."""
    threat: tuple[str, ...] = ()
    """What the radius does not say: pixel steps, what is not attacked, stacked frames, a memory."""

    @property
    def mean_return(self) -> float:
        """Mean undiscounted reward."""
        return float(self.returns.mean())

    @property
    def mean_cost(self) -> float:
        """Mean undiscounted cost."""
        return float(self.costs.mean())

    def plot(self, cost_limit: float | None = None, ax: Axes | None = None) -> Axes:
        """Draw a histogram of the episodes' costs.

        Args:
            cost_limit: Costs above it stand out.
            ax: Axes to draw on; those of a new figure by default.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        name = self.attack if self.eps == 0.0 else f"{self.attack}, eps = {self.eps:g}"
        title = f"{name}: mean cost {amount(self.mean_cost)}"
        return plotted(lambda ax: paint_costs(ax, self.costs, title, cost_limit), ax)

    def to_json(self) -> dict[str, Any]:
        """A dict for `json.dumps`: episodes, their means and deviations, and the traces."""
        return {
            "attack": self.attack,
            "eps": self.eps,
            "norm": self.norm,
            "channel": self.channel,
            "units": self.units,
            "mean_return": self.mean_return,
            "std_return": float(self.returns.std()),
            "mean_cost": self.mean_cost,
            "std_cost": float(self.costs.std()),
            "returns": self.returns.tolist(),
            "costs": self.costs.tolist(),
            "lengths": self.lengths.tolist(),
            **({"worst_h": self.worst_h.tolist()} if len(self.worst_h) else {}),
            "seconds": self.seconds,
            "threat": list(self.threat),
            "traces": [trace.to_json() for trace in self.traces],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcomes:
        """Undo `to_json`."""
        return cls(
            attack=data["attack"],
            eps=float(data["eps"]),
            norm=data["norm"],
            channel=data.get("channel", "observation"),
            returns=np.asarray(data["returns"], dtype=np.float64),
            costs=np.asarray(data["costs"], dtype=np.float64),
            lengths=np.asarray(data["lengths"], dtype=np.int64),
            seconds=float(data["seconds"]),
            traces=tuple(map(Trace.from_json, data["traces"])),
            units=data.get("units", "raw"),
            worst_h=np.asarray(data.get("worst_h", ()), dtype=np.float64),
            threat=tuple(data.get("threat", ())),
        )
