"""Test profile: deterministic property tests, one torch thread (two are slower on a busy machine)."""

import torch
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
torch.set_num_threads(1)
