"""Actions that are NaN or infinite: most environments take them, and count no cost."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_finite(action: Any, where: str = "") -> None:
    """Refuse an action, or a batch of them, that is not finite.

    Raises:
        ValueError: shows the action, and says where it was taken.
    """
    array = np.asarray(action)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"the policy's action is not finite{where}; got {action!r}")
