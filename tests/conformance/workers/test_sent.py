"""Policies that pickle cannot send are sent as their files; what cannot be sent is refused."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import cloudpickle
import pytest
import torch
from torch import nn

from safer_gym.conformance.workers import processes
from safer_gym.conformance.workers.pool import Pool
from safer_gym.conformance.workers.sent import packed


def scripted(module: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(module)


def test_torchscript_is_sent_and_acts_as_it_did() -> None:
    torch.manual_seed(0)
    module = scripted(nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.Linear(3, 1))).eval()
    world = {"policy": module, "again": module, "eps": 0.1}
    with pytest.raises(RuntimeError, match="serialize"):
        cloudpickle.dumps(world)
    found = cloudpickle.loads(packed(world, 2))
    obs = torch.randn(5, 2)
    torch.testing.assert_close(found["policy"](obs), module(obs))
    assert found["again"] is found["policy"]
    assert not found["policy"].training


def test_what_cannot_be_sent_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    held = {"policy": threading.Lock()}
    with pytest.raises(ValueError, match=r"workers=2.*lock.*use workers=1"), Pool(max, held, 2):
        pass
    with Pool(lambda world, job: job, held, 1) as one:
        assert list(one.run([1, 2])) == [1, 2]
