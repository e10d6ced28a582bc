"""Looking at a network without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def as_found(*modules: nn.Module) -> Iterator[None]:
    """Evaluation mode inside (no dropout, no batch statistics), every part's own mode after."""
    found = [(part, part.training) for module in modules for part in module.modules()]
    for part, training in found:
        if training:
            part.training = False
    try:
        yield
    finally:
        for part, training in found:
            if part.training is not training:
                part.training = training
