"""ONNX graphs: networks without branches as data, others computed by onnxruntime.

onnxruntime is optional: `pip install safer-gym[onnx]`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.loading.formats import Format, Opened, register_format
from safer_gym.conformance.loading.onnx_data import action_name, read_onnx
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.rows import in_batches_of

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
LOOPS = re.compile(rb"(?:\x22|\xa2\x80*\x00)(?:\x04|\x84\x80*\x00)(?:Loop|Scan)")
"""A node's operator as a protocol buffer writes it: field 4, a text of four letters."""


class OnnxPolicy:
    """Observations [B, *O] to actions [B, A] by an ONNX graph. It offers no gradients.

    Args:
        content: the file's bytes. Given as bytes and not as a path, the graph cannot refer to
            other files; no library of operators is ever registered.

    Raises:
        ValueError: onnxruntime does not take it, or it is no function of one observation.
        ModuleNotFoundError: onnxruntime is not installed.
    """

    def __init__(self, content: bytes) -> None:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ValueError(f"onnxruntime refuses it: {error}") from error
        self._content, self._session, self._input = content, session, _only_input(session)
        self._output = action_name([output.name for output in session.get_outputs()])
        first = self._input.shape[0] if self._input.shape else None
        self._batch = first if isinstance(first, int) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._content,)

    @property
    def blank(self) -> NDArray:
        """An observation of zeros; a size that the graph leaves open is 1."""
        sizes = [size if isinstance(size, int) else 1 for size in self._input.shape]
        return np.zeros(sizes, DTYPES[self._input.type])

    def predict(
        self, observation: NDArray, state: Any = None, episode_start: Any = None, **options: Any
    ) -> tuple[NDArray, Any]:
        """The actions of a batch of observations; there is nothing random in them."""
        obs = np.asarray(observation).astype(DTYPES[self._input.type])
        return in_batches_of(self._batch, self._run, obs), state

    def _run(self, obs: NDArray) -> NDArray:
        return self._session.run([self._output], {self._input.name: obs})[0]


def load_onnx(path: Path, trust: bool = False) -> Any:
    """The policy of an ONNX file: a torch module where its graph is a network without branches.

    Errors of others as `OnnxPolicy`.

    Raises:
        UntrustedFile: (a ValueError) it loops, and is not trusted: it may do so 2^62 times, or
            only where an observation asks for it.
    """
    content = path.read_bytes()
    if not trust and LOOPS.search(content):
        raise UntrustedFile(str(path), "its graph has a loop, which nothing bounds")
    with suppress(ValueError):
        return read_onnx(content)
    try:
        return OnnxPolicy(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


ONNX = register_format(
    Format(
        "onnx",
        "ONNX",
        False,
        "a network without branches is read as data, any other graph of standard operators is "
        "computed by onnxruntime; operators from a library and "
        "numbers from other files are refused, loops without trust",
        lambda path: path.suffix.lower() == ".onnx",
        lambda path, trust: Opened(load_onnx(path, trust), ran_code=False),
    )
)


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "an ONNX policy needs onnxruntime: pip install safer-gym[onnx]"
        ) from error
    return onnxruntime


def _only_input(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in DTYPES:
        found = ", ".join(f"{i.name}: {i.type}" for i in inputs)
        raise ValueError(f"it must have one input of floats, the observation; it has {found}")
    return inputs[0]
