"""Test profile: deterministic property tests; one torch thread, as two are slower when busy."""

import torch
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
torch.set_num_threads(1)
