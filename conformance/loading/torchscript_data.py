"""A TorchScript archive read as data: its text is parsed, never compiled or run.

Such an archive holds the text of its methods in a subset of Python, and the tensors beside it. The
text is parsed with `ast` and followed from `forward`, with the observation as an unknown: calls of
methods and functions of the text itself, branches whose condition the file decides, and the
operations of `operations`. What comes out is a network without branches, or a refusal.

It is assumed that the text means to torch what it means here. Every network that is read is
compared with torch's own interpreter in the tests.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.as_data import Call, read_pickle
from safer_gym.conformance.loading.chain import Chain
from safer_gym.conformance.loading.operations import operation
from safer_gym.conformance.loading.tensors import PARAMETER, TENSOR, Storages
from safer_gym.conformance.loading.weights import MAX_COPIES, folder_of

MAX_TEXT = 1_000_000
MAX_STEPS = 20_000
MAX_DEPTH = 40
FAULTS = (
    *(ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, RuntimeError),
    *(SyntaxError, TypeError),
)
"""What a damaged or a strange text makes of the steps below."""
ROOTS = ("torch", "__torch__", "ops", "CONSTANTS")


class Dotted(NamedTuple):
    """A name of torch's, or of the archive's own text."""

    name: str


class Method(NamedTuple):
    """A method of an object of the archive."""

    owner: Call
    name: str


def read_torchscript(path: Path) -> nn.Sequential:
    """The network of an archive.

    Raises:
        ValueError: it is no network without branches, or damaged.
    """
    what = str(path)
    with opened(path, what) as archive:
        reader = _Reader(archive, folder_of(archive, what), what, path.stat().st_size)
        try:
            found = reader.method(reader.root, "forward", [Chain()])
        except FAULTS as error:
            raise ValueError(f"a step that is not read as data: {error!r}") from error
        if not isinstance(found, Chain):
            raise ValueError("it gives something else than one action")
        return found.network()


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, folder: str, what: str, size: int) -> None:
        self.archive, self.folder, self.what = archive, folder, what
        self.texts: dict[str, ast.Module] = {}
        self.steps = self.depth = 0
        self.root = read_pickle(entry(archive, f"{folder}/data.pkl", what))
        self.constants = read_pickle(entry(archive, f"{folder}/constants.pkl", what))
        self.storages = {
            part: Storages(partial(self._raw, part), MAX_COPIES * size)
            for part in ("data", "constants")
        }

    def _raw(self, part: str, key: str) -> bytes:
        return entry(self.archive, f"{self.folder}/{part}/{key}", self.what)

    # --- text ---

    def _definition(self, module: str, *names: str) -> ast.FunctionDef:
        """A function, or a method of a class, in the text of a module."""
        if module not in self.texts:
            text = entry(
                self.archive, f"{self.folder}/code/{module.replace('.', '/')}.py", self.what
            )
            if len(text) > MAX_TEXT:
                raise ValueError("its text is too long")
            self.texts[module] = ast.parse(text.decode())
        found: Any = self.texts[module]
        for name in names:
            parts = [part for part in found.body if getattr(part, "name", None) == name]
            if len(parts) != 1:
                raise ValueError(f"{module} has no single {'.'.join(names)}")
            found = parts[0]
        if not isinstance(found, ast.FunctionDef):
            raise ValueError(f"{'.'.join(names)} is no function")
        return found

    def method(self, owner: Call, name: str, args: Sequence[Any]) -> Any:
        """What a method of an object gives."""
        kind = owner.function
        return self._run(self._definition(kind.module, kind.name, name), [owner, *args])

    def _run(self, function: ast.FunctionDef, args: Sequence[Any]) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError("its methods call each other too deeply")
        names = [arg.arg for arg in function.args.args]
        defaults = [self._value(node, {}) for node in function.args.defaults]
        given = [*args, *defaults[len(defaults) - (len(names) - len(args)) :]]
        if len(names) != len(given) or len(args) > len(names):
            raise ValueError(f"{function.name} takes {len(names)} values; it gets {len(args)}")
        done, value = self._block(function.body, dict(zip(names, given, strict=True)))
        self.depth -= 1
        return value if done else None

    def _block(self, body: Sequence[ast.stmt], names: dict[str, Any]) -> tuple[bool, Any]:
        """Whether a block returned, and what."""
        for line in body:
            if isinstance(line, ast.Return):
                return True, None if line.value is None else self._value(line.value, names)
            if isinstance(line, ast.If):
                test = self._value(line.test, names)
                if not isinstance(test, bool):
                    raise ValueError("a condition that the observation decides")
                done, value = self._block(line.body if test else line.orelse, names)
                if done:
                    return True, value
            elif isinstance(line, (ast.Assign, ast.AnnAssign)) and line.value is not None:
                target = line.targets[0] if isinstance(line, ast.Assign) else line.target
                if not isinstance(target, ast.Name):
                    raise ValueError("an assignment to something else than a name")
                names[target.id] = self._value(line.value, names)
            elif not isinstance(line, ast.Pass):
                raise ValueError(f"a line that is a {type(line).__name__}")
        return False, None

    # --- values ---

    def _value(self, node: ast.expr, names: dict[str, Any]) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} steps")
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return names[node.id] if node.id in names else self._root(node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(self._value(node.value, names), node.attr)
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._value(part, names) for part in node.elts]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._value(node.operand, names)
        if isinstance(node, ast.Call):
            return self._called(node, names)
        raise ValueError(f"an expression that is a {type(node).__name__}")

    def _root(self, name: str) -> Dotted:
        if name not in ROOTS:
            raise ValueError(f"the name {name}")
        return Dotted(name)

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Dotted):
            if owner.name != "CONSTANTS":
                return Dotted(f"{owner.name}.{name}")
            return self._decoded(self.constants[int(name.removeprefix("c"))], "constants")
        if not isinstance(owner, Call) or not isinstance(owner.state, dict):
            raise ValueError(f"the attribute {name} of a {type(owner).__name__}")
        if name == "training":
            return False  # a policy is deployed out of training
        if name in owner.state:
            return self._decoded(owner.state[name], "data")
        return Method(owner, name)

    def _decoded(self, value: Any, part: str) -> Any:
        is_tensor = isinstance(value, Call) and value.function in (TENSOR, PARAMETER)
        return self.storages[part].tensor(value) if is_tensor else value

    def _called(self, node: ast.Call, names: dict[str, Any]) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id not in names:
            return self._builtin(node.func.id, node.args, names)
        function = self._value(node.func, names)
        args = [self._value(arg, names) for arg in node.args]
        named = {str(word.arg): self._value(word.value, names) for word in node.keywords}
        if isinstance(function, Method) and not named:
            return self.method(function.owner, function.name, args)
        if not isinstance(function, Dotted):
            raise ValueError(f"a call of a {type(function).__name__}")
        module, _, name = function.name.rpartition(".")
        if module == "torch":
            return operation(name, args, named)
        if module.startswith("__torch__") and not named:
            return self._run(self._definition(module, name), args)
        raise ValueError(f"a call of {function.name}")

    def _builtin(self, name: str, args: Sequence[ast.expr], names: dict[str, Any]) -> Any:
        if name == "getattr":
            owner, attribute = (self._value(arg, names) for arg in args)
            return self._attribute(owner, str(attribute))
        if name in ("annotate", "unchecked_cast"):
            return self._value(args[1], names)
        if name == "uninitialized":
            return None
        raise ValueError(f"a call of {name}")
