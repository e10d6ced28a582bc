"""Perturbation sets: l1, l2 and linf balls around an observation, cut by the observation box."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, require, require_array
from safer_gym.projections import project_ellipsoid, project_l1, project_l2

NORMS = ("l1", "l2", "linf")
UNITS = ("raw", "normalised")
"""What a radius counts: units of the observation, or its standard deviations."""
# Far below any dtype in use; it makes a second projection change nothing.
_SLACK = 1e-12
_ORDER = {"l1": 1.0, "l2": 2.0, "linf": math.inf}


@dataclass(frozen=True, eq=False)
class LpBall:
    """The set {x : ||(x - center) / eps||_p <= 1, low <= x <= high}.

    Args:
        p: 1, 2 or inf, or a name of `NORMS`.
        eps: radius in units of the observation. A number gives ||x - center||_p <= eps; an array
            that broadcasts to the observation gives one radius a dimension (0 freezes it).
        low, high: box of valid observations, or None. Where the center itself lies outside, the
            box is widened to hold it: the clean observation is always allowed.
        whole: 1 where an entry takes whole numbers alone (pixels), 0 elsewhere; None: nowhere.
            Attacks walk between them, and `settle` brings what they found to whole numbers.

    Raises:
        ValueError: for another p, for eps negative or not finite, for low > high.
        TypeError: for an eps that is no number and no array of numbers.
    """

    p: float
    eps: Any
    low: Any = None
    high: Any = None
    whole: Any = None
    _casts: dict[Any, Tensor] = field(init=False, repr=False, default_factory=dict)
    """The radius in other types, as asked for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", _order(self.p))
        require_array(NOT_NEGATIVE, eps=self.eps)
        eps = torch.as_tensor(self.eps, dtype=torch.float64).detach().cpu()
        object.__setattr__(self, "eps", eps)
        for name in ("low", "high", "whole"):
            value = getattr(self, name)
            if value is not None:
                value = torch.as_tensor(value, dtype=torch.float64).detach().cpu()
                if bool(torch.isnan(value).any()):
                    raise ValueError(f"{name} must not be NaN")
                object.__setattr__(self, name, value)
        if self.low is not None and self.high is not None and bool((self.low > self.high).any()):
            raise ValueError("low must not exceed high")

    @staticmethod
    def of(norm: str, eps: Any, low: Any = None, high: Any = None, whole: Any = None) -> LpBall:
        """The ball of a named norm: "l1", "l2" or "linf"."""
        return LpBall(_ORDER[choose("norm", norm, NORMS)], eps, low, high, whole)

    @cached_property
    def is_point(self) -> bool:
        """True when the radius is zero everywhere, so that only the center is inside."""
        return not bool(self.eps.any())

    def scaled(self, fraction: float) -> LpBall:
        """The same ball with `fraction` >= 0 of the radius."""
        require(NOT_NEGATIVE, fraction=fraction)
        return self if fraction == 1 else replace(self, eps=self.eps * fraction)

    def norm(self, delta: Tensor) -> Tensor:
        """Plain lp norm of perturbations [B, *O], as [B]."""
        return torch.linalg.vector_norm(delta.flatten(1), ord=self.p, dim=1)

    def gauge(self, delta: Tensor) -> Tensor:
        """||delta / eps||_p as [B]: at most 1 inside; infinite where a frozen dimension moves."""
        eps = self.radius(delta)
        moved = torch.where(delta == 0, 0.0, math.inf)
        ratio = torch.where(eps > 0, delta / torch.where(eps > 0, eps, 1.0), moved)
        return self.norm(ratio)

    def contains(self, center: Tensor, points: Tensor, rtol: float = 1e-6) -> Tensor:
        """Which points [B, *O] lie in the set around `center`, up to a relative `rtol`, as [B]."""
        inside = self.gauge(points.double() - center.double()) <= 1 + rtol
        low, high = self._box(center)
        if low is not None:
            inside = inside & (points >= low).flatten(1).all(1)
        if high is not None:
            inside = inside & (points <= high).flatten(1).all(1)
        return inside

    def ascent_direction(self, gradient: Tensor, at: Tensor | None = None) -> Tensor:
        """The step of unit gauge that raises a linear function with this gradient [B, *O] most.

        It does not depend on the gradient's length. linf: eps sign(g); l2: eps^2 g / ||eps g||;
        l1: the whole radius on the coordinate with the largest |eps g|. Zero for a zero gradient.

        Args:
            gradient: of the function.
            at: where the step begins. Coordinates that the box stops there do not count, and what
                the box leaves of the radius in l1 goes to the coordinate that gains most after.
        """
        eps = self.radius(gradient)
        if self.p == math.inf:
            return eps * gradient.sign()
        room = self._room_from(at, gradient).flatten(1)
        gain = (eps * gradient).flatten(1) * (room > 0)
        if self.p == 1:
            unit = _fill(gain, room)
        else:
            # Divide by the largest entry first: squares of tiny gradients would vanish.
            largest = gain.abs().amax(dim=1, keepdim=True)
            unit = gain / torch.where(largest > 0, largest, 1.0)
            length = unit.norm(dim=1, keepdim=True)
            unit = unit / torch.where(length > 0, length, 1.0)
        return eps * unit.view_as(gradient)

    def project(self, center: Tensor, points: Tensor) -> Tensor:
        """The nearest points of the set, [B, *O], inside on the returned dtype.

        Points that are inside come back bit for bit. Rounding is always toward the center.
        """
        if self.is_point:
            return center
        if self.p == math.inf:
            return self.around(center)(points)
        low, high = self._box(center)
        inside = self.gauge(points.double() - center.double()) <= 1 + _SLACK
        if bool(inside.all()):
            return _clip(points, low, high)
        projected = self._project_lp(center, points, low, high)
        keep = inside.view(-1, *[1] * (points.dim() - 1))
        return _clip(torch.where(keep, points, projected), low, high)

    def around(self, center: Tensor) -> Callable[[Tensor], Tensor]:
        """`project` with the center fixed, for many projections around the same points."""
        if self.p != math.inf or self.is_point:
            return lambda points: self.project(center, points)
        low, high = self._linf_bounds(center)
        return lambda points: torch.clamp(points, low, high)

    def settle(self, center: Tensor, points: Tensor) -> Tensor:
        """Points of the set [B, *O] with whole numbers where only those are valid.

        Entries go to the nearest one; in rows that leave the set by that, toward the center.
        """
        if self.whole is None:
            return points
        whole = self.whole.to(device=points.device) > 0
        nearest = torch.where(whole, points.round(), points)
        inward = torch.where(whole, center + (points - center).trunc(), points)
        inside = self.contains(center, nearest).view(-1, *[1] * (points.dim() - 1))
        return torch.where(inside, nearest, inward)

    def offsets(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Uniform draws from the ball around zero, shaped and typed as `like` [B, *O]."""
        shape, d = like.shape, like[0].numel()
        generator = generator if generator is not None else torch.Generator().manual_seed(0)
        # One row of draws a row of points, through quantile functions: the first rows are the
        # same whatever the number of rows.
        draws = torch.rand(
            shape[0], 2 * d + 1, dtype=torch.float64, generator=generator, device=generator.device
        )
        first, last = draws[:, :d], draws[:, -1:]
        live = self.live(like).flatten().to(draws)
        if self.p == math.inf:
            unit = 2 * first - 1
        elif self.p == 2:
            normal = torch.special.ndtri(first.clamp(min=1e-16)) * live
            length = normal.norm(dim=1, keepdim=True).clamp(min=1e-300)
            unit = last ** (1 / live.sum().clamp(min=1)) * normal / length
        else:
            # D of D + 1 normalised exponentials are uniform in the simplex under the l1 sphere.
            spacings = -torch.log1p(-torch.cat([first, last], dim=1))
            spacings[:, :d] *= live
            sign = torch.where(draws[:, d : 2 * d] < 0.5, -1.0, 1.0)
            unit = sign * spacings[:, :d] / spacings.sum(1, keepdim=True)
        unit = unit.view(shape).to(like)
        return self.radius(unit) * unit

    def sample(self, center: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Uniform draws from the ball around each row of `center`, then projected to the set."""
        return self.project(center, center + self.offsets(center, generator))

    def live(self, like: Tensor) -> Tensor:
        """Which entries of points `like` [B, *O] have a radius, bool [*O]."""
        return (self.radius(like.double()) > 0).expand(like.shape[1:])

    def radius(self, like: Tensor) -> Tensor:
        """`eps` in the type of observations `like` [B, *O], and on their device."""
        if self.eps.dim() > 0:
            try:
                torch.broadcast_shapes(self.eps.shape, like.shape[1:])
            except RuntimeError:
                _refuse_shape("eps", self.eps, like)
        key = (like.dtype, like.device)
        if key not in self._casts:
            self._casts[key] = self.eps.to(dtype=like.dtype, device=like.device)
        return self._casts[key]

    def _box(self, center: Tensor) -> tuple[Tensor | None, Tensor | None]:
        bounds: list[Tensor | None] = []
        for value, widen in ((self.low, torch.minimum), (self.high, torch.maximum)):
            bounds.append(None if value is None else widen(value.to(center), center))
        return bounds[0], bounds[1]

    def _room_from(self, at: Tensor | None, gradient: Tensor) -> Tensor:
        """The part of the radius, in [0, 1], that the box leaves each coordinate uphill [B, *O]."""
        if at is None or (self.low is None and self.high is None):
            return torch.ones_like(gradient)
        eps = self.radius(gradient)
        low, high = (None if end is None else end.to(at) for end in (self.low, self.high))
        room = _room(at, gradient, low, high) / torch.where(eps > 0, eps, 1.0)
        return room.clamp(0.0, 1.0).to(gradient)

    def _linf_bounds(self, center: Tensor) -> tuple[Tensor, Tensor]:
        """Ends of the set, a box itself, rounded toward the center."""
        eps = self.radius(center.double())
        exact = center.double()
        low, high = (exact - eps).to(center.dtype), (exact + eps).to(center.dtype)
        low = torch.where(exact - low.double() > eps, torch.nextafter(low, center), low)
        high = torch.where(high.double() - exact > eps, torch.nextafter(high, center), high)
        valid_low, valid_high = self._box(center)
        return _clip(low, valid_low, None), _clip(high, None, valid_high)

    def _project_lp(
        self, center: Tensor, points: Tensor, low: Tensor | None, high: Tensor | None
    ) -> Tensor:
        exact = center.double()
        wanted = points.double() - exact
        eps = self.radius(wanted).expand_as(wanted)
        radius = float(self.eps.max())
        size = wanted.abs()
        room = _room(exact, wanted, low, high)
        cap = torch.where(eps > 0, torch.minimum(size, room), 0.0)
        weight = torch.where(eps > 0, radius / torch.where(eps > 0, eps, 1.0), 0.0)
        size, cap, weight = size.flatten(1), cap.flatten(1), weight.flatten(1)
        if self.p == 1:
            moved = project_l1(size, cap, weight, radius)
        elif bool(((weight == 0) | (weight == 1)).all()):
            moved = project_l2(size, cap, radius)
        else:
            moved = project_ellipsoid(size, cap, weight, radius)
        return _round_toward(center, wanted.sign() * moved.view_as(wanted))


def _order(p: Any) -> float:
    if isinstance(p, str):
        return _ORDER[choose("norm", p, NORMS)]
    if p not in (1, 2, math.inf):
        raise ValueError(f"p (the norm) must be 1, 2 or inf; got {p!r}")
    return float(p)


def require_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raises ValueError where a number or an array does not broadcast to one of this shape."""
    found = np.shape(value)
    try:
        fits = np.broadcast_shapes(found, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} must be a number or broadcast to the shape {tuple(shape)}; got shape {found}"
        )


def _refuse_shape(name: str, value: Tensor, like: Tensor) -> None:
    raise ValueError(
        f"{name} must be a number or broadcast to an observation of shape "
        f"{tuple(like.shape[1:])}; got shape {tuple(value.shape)}"
    )


def _clip(points: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    if low is not None:
        points = torch.maximum(points, low)
    return points if high is None else torch.minimum(points, high)


def _room(center: Tensor, wanted: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    """How far each coordinate may go from the center toward the wanted point, [B, *O]."""
    far = torch.full_like(center, math.inf)
    up = far if high is None else high.double() - center
    down = far if low is None else center - low.double()
    return torch.where(wanted >= 0, up, down)


def _fill(gain: Tensor, room: Tensor) -> Tensor:
    """Signed shares of the l1 radius [B, D], to the largest |gain| first, each up to its `room`."""
    order = gain.abs().argsort(dim=1, descending=True, stable=True)
    wanted = room.gather(1, order)
    before = wanted.cumsum(1) - wanted
    share = torch.minimum((1 - before).clamp(min=0.0), wanted)
    return torch.zeros_like(gain).scatter(1, order, share) * gain.sign()


def _round_toward(center: Tensor, delta: Tensor) -> Tensor:
    """center + delta on the center's dtype, no coordinate farther out than the exact delta.

    A smaller delta in each coordinate has a smaller norm, so this cannot leave the ball.
    """
    exact = center.double()
    points = (exact + delta).to(center.dtype)
    points = torch.where(delta == 0, center, points)
    too_far = (points.double() - exact).abs() > delta.abs()
    return torch.where(too_far, torch.nextafter(points, center), points)
