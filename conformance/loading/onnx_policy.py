"""ONNX graphs: networks without branches as data, others computed by onnxruntime.

onnxruntime is optional: `pip install safer-gym[onnx]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.loading.formats import Format, Opened, register_format
from safer_gym.conformance.loading.onnx_data import ACTION_NAMES, action_name, read_onnx
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.rows import in_batches_of

DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
LOOPS = re.compile(rb"(?:\x22|\xa2\x80*\x00)(?:\x04|\x84\x80*\x00)(?:Loop|Scan)")
"""A node's operator as a protocol buffer writes it: field 4, a text of four letters."""


class OnnxState(NamedTuple):
    """A state that a graph is given, and returns for the next step."""

    name: str
    after: str
    """The output."""
    shape: tuple[int, ...]
    """Without the rows of a batch."""
    axis: int
    """Along which the rows of a batch lie."""
    dtype: Any

    @classmethod
    def of(cls, given: Any, after: str) -> OnnxState:
        """The state of an input.

        Raises:
            ValueError: sizes that the graph leaves open, beside that of the batch; fixed batches of
                more than one.
        """
        free = [axis for axis, size in enumerate(given.shape) if not isinstance(size, int)]
        # As PyTorch has it: layers come first, where there are any.
        axis = free[0] if free else 1 if len(given.shape) == 3 else 0
        if len(free) > 1 or not given.shape or (not free and given.shape[axis] != 1):
            raise ValueError(
                f"its state {given.name} has the shape {given.shape}; one size may be open, that "
                "of the batch, or the batch must be 1"
            )
        shape = (*given.shape[:axis], *given.shape[axis + 1 :])
        return cls(given.name, after, shape, axis, DTYPES[given.type])

    def zeros(self, n: int) -> NDArray:
        """Where episodes begin, for n rows."""
        return np.zeros((*self.shape[: self.axis], n, *self.shape[self.axis :]), self.dtype)

    def rows(self, value: NDArray, first: int, n: int) -> NDArray:
        """Some rows of a batch's state."""
        return np.take(value, range(first, min(first + n, value.shape[self.axis])), self.axis)


class OnnxPolicy:
    """Observations [B, *O] to actions [B, A] by an ONNX graph. It offers no gradients.

    A graph with more inputs has a memory: its further inputs are states, zeros where an episode
    begins, and its further outputs, in the same order, are the states at the next step.

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
        self._content, self._session = content, session
        self._input, *states = _inputs(session)
        self._output, *after = _outputs(session, len(states))
        self._states = [OnnxState.of(*pair) for pair in zip(states, after, strict=True)]
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
        if not self._states:
            return in_batches_of(self._batch, lambda rows: self._run(rows)[0], obs), state
        before = [part.zeros(len(obs)) for part in self._states] if state is None else state
        size = self._batch or len(obs)
        answers = [
            self._run(obs[k : k + size], [p.rows(b, k, size) for p, b in self._held(before)])
            for k in range(0, len(obs), size)
        ]
        actions, *after = zip(*answers, strict=True)
        joined = [np.concatenate(parts, p.axis) for p, parts in self._held(after)]
        return np.concatenate(actions), tuple(joined)

    def _held(self, values: Any) -> zip[tuple[OnnxState, Any]]:
        return zip(self._states, values, strict=True)

    def _run(self, obs: NDArray, states: Sequence[NDArray] = ()) -> list[NDArray]:
        given = {part.name: value.astype(part.dtype) for part, value in self._held(states)}
        wanted = [self._output, *(part.after for part in self._states)]
        return self._session.run(wanted, {self._input.name: obs, **given})


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


def _inputs(session: Any) -> list[Any]:
    """The observation, then states."""
    inputs = session.get_inputs()
    if not inputs or any(found.type not in DTYPES for found in inputs):
        told = ", ".join(f"{i.name}: {i.type}" for i in inputs)
        raise ValueError(f"it must have inputs of floats, the observation first; it has {told}")
    return inputs


def _outputs(session: Any, n_states: int) -> list[str]:
    """The action, then as many states as go in."""
    names = [output.name for output in session.get_outputs()]
    if not n_states:
        return [action_name(names)]
    named = [name for name in names if name in ACTION_NAMES]
    action = named[0] if named else names[0]
    states = [name for name in names if name != action]
    if len(states) != n_states:
        raise ValueError(
            f"it has {n_states} inputs beside the observation and the outputs {', '.join(names)}: "
            "a graph with states must return each of them, in the order of its inputs, beside the "
            "action"
        )
    return [action, *states]
