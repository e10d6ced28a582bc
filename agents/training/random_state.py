"""Every random generator that a training run draws from, to a file and back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm


def save_random_state(model: BaseAlgorithm, path: Path) -> None:
    """Write the state of Python, NumPy, torch, the action space and the agent's own generator."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002
    kind, keys, *rest = numpy_state
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "action_space": model.action_space.np_random.bit_generator.state,
    }
    generator = getattr(model, "_generator", None)
    if generator is not None:
        state["agent"] = generator.get_state()
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    torch.save(state, path)


def load_random_state(model: BaseAlgorithm, path: Path) -> None:
    """Undo `save_random_state`, for all generators that exist on this machine."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    model.action_space.np_random.bit_generator.state = state["action_space"]
    generator = getattr(model, "_generator", None)
    if generator is not None and "agent" in state:
        generator.set_state(state["agent"])
    if torch.cuda.is_available() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
