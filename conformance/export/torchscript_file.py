"""A network without branches as a frozen TorchScript archive."""

from __future__ import annotations

import io
import json
import warnings
from typing import Any

import torch
from torch import nn

STATED = "safer-gym.json"
"""The extra file of the archive that says what the policy is."""


def torchscript_bytes(network: nn.Sequential, stated: dict[str, Any]) -> bytes:
    """The file's content: [B, O] -> [B, A] for any B, and `stated` as an extra file."""
    first = next(module for module in network if isinstance(module, nn.Linear))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases of torch call TorchScript deprecated
        traced = torch.jit.trace(network, torch.zeros(2, first.in_features))
        frozen = torch.jit.freeze(traced.eval())
        content = io.BytesIO()
        torch.jit.save(frozen, content, _extra_files={STATED: json.dumps(stated)})
    return content.getvalue()
