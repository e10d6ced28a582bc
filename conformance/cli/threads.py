"""How many threads the commands compute with."""

from __future__ import annotations

import os

import torch


def one_thread() -> None:
    """Use one torch thread unless OMP_NUM_THREADS says otherwise.

    The networks are small: a second thread costs more in waiting than it saves.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
