"""A picture of numbers as a PNG, by hand: rows x columns of signed values, coloured by sign."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

UP, DOWN = (196, 78, 20), (24, 104, 176)
"""Colours of +1 and -1; 0 is transparent, so that the page's own colour shows."""


def signed_png(values: NDArray) -> bytes:
    """A PNG of values in [-1, 1], one pixel each; what lies outside is cut.

    Raises:
        ValueError: not two axes, or nothing in it.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"values must be [rows, columns], got shape {values.shape}")
    pixels = np.where(values[..., None] >= 0, np.array(UP, np.uint8), np.array(DOWN, np.uint8))
    alpha = np.round(255 * np.clip(np.abs(values), 0.0, 1.0)).astype(np.uint8)
    rgba = np.concatenate([pixels, alpha[..., None]], axis=-1)
    lines = b"".join(b"\0" + row.tobytes() for row in rgba)
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def data_address(png: bytes) -> str:
    """The picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
