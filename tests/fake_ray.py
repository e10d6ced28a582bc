"""In the place of Ray: tasks on threads, to which all goes as bytes, as to another machine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import cloudpickle


class TaskError(Exception):
    """Around what a task raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("a long remote traceback")
        self.cause = cause


class LostError(Exception):
    """The machine of a task is gone."""


class Reference:
    """Where a value is or will be."""

    def __init__(self, number: int, value: Future[Any]) -> None:
        self.number, self.value = number, value

    def future(self) -> Future[Any]:
        """As Ray's."""
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other.number == self.number

    def __hash__(self) -> int:
        return self.number

    def __reduce__(self) -> Any:
        return _found, (self.number,)


STORE: dict[int, Reference] = {}


def _found(number: int) -> Reference:
    return STORE[number]


class FakeRay(ModuleType):
    """What `RayWorkers` uses of Ray.

    Args:
        cpus: of the cluster.
        losses: how many of the next tasks are lost.
    """

    def __init__(self, cpus: int = 2, losses: int = 0) -> None:
        super().__init__("ray")
        self.cpus, self.losses = cpus, losses
        self.calls: list[str] = []
        self.most = 0
        self.running = 0
        self.threads = ThreadPoolExecutor(8)

    def is_initialized(self) -> bool:
        return self.calls.count("init") > self.calls.count("shutdown")

    def init(self, address: str = "", **options: Any) -> None:
        if address == "nowhere:1":
            raise ConnectionError("nobody answers")
        self.calls.append("init")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def cancel(self, reference: Reference) -> None:
        self.calls.append("cancel")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cpus)} if self.cpus else {}

    def put(self, value: Any) -> Reference:
        stored: Future[Any] = Future()
        stored.set_result(cloudpickle.dumps(value))
        return self._kept(stored)

    def get(self, reference: Reference) -> Any:
        return cloudpickle.loads(reference.value.result())

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        assert options["num_cpus"] == 1
        assert options["max_retries"] > 0

        def decorated(function: Any) -> Any:
            task = ModuleType("task")
            task.remote = lambda *args: self._begun(cloudpickle.dumps((function, args)))  # type: ignore[attr-defined]
            return task

        return decorated

    def _begun(self, sent: bytes) -> Reference:
        lost, self.losses = self.losses > 0, self.losses - 1
        self.running += 1
        self.most = max(self.most, self.running)
        return self._kept(self.threads.submit(self._run, sent, lost))

    def _run(self, sent: bytes, lost: bool) -> Any:
        try:
            if lost:
                raise LostError("the machine is gone")
            function, args = cloudpickle.loads(sent)
            return cloudpickle.loads(cloudpickle.dumps(function(*args)))
        except LostError:
            raise
        except BaseException as error:
            raise TaskError(error) from error
        finally:
            self.running -= 1

    def _kept(self, value: Future[Any]) -> Reference:
        reference = Reference(len(STORE), value)
        STORE[reference.number] = reference
        return reference
