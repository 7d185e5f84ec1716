"""Threads for what blocks, of which none is waited for when the process ends."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Unawaited(ThreadPoolExecutor):
    """A default executor for an event loop, whose threads nobody waits for.

    Python waits for the threads of its own executor, even for the lookup of a name that takes 20 s.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: set[threading.Thread] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a call in a thread of its own."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                if future.set_running_or_notify_cancel():
                    _settle(future, fn, args, kwargs)
            finally:
                self._running.discard(threading.current_thread())

        thread = threading.Thread(target=work, name="off the loop", daemon=True)
        self._running.add(thread)
        thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: nobody waits for the threads."""

    def join(self, within: float) -> None:
        """Wait for what still runs, at most so many seconds for all of it."""
        deadline = time.monotonic() + within
        for thread in list(self._running):
            thread.join(max(0.0, deadline - time.monotonic()))


def _settle(future: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
