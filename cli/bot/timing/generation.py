"""A script as it was loaded once: when it is loaded anew, nothing of the one before goes out any more."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cli.bot.knowledge import Knowledge
    from cli.bot.plan import Plan
    from cli.bot.script import Bot
    from cli.bot.script_api import ScriptHost
    from cli.bot.timing.cron import Cron


class Generation:
    """What the `Link` of one loaded script speaks with: a seat, from `begin` until `end`."""

    def __init__(self, host: ScriptHost) -> None:
        self.over = threading.Event()
        self._host = host
        self._begun = False
        self._one_at_a_time = threading.Lock()
        self._threads: list[threading.Thread] = []

    # --- the script's side

    def epoch_ns(self) -> int:
        """As the seat's."""
        return self._host.epoch_ns()

    def signal(self, src: object, sym: object, figures: dict[str, object]) -> None:
        """As the seat's, while it lasts."""
        with self._one_at_a_time:
            self._check()
            self._host.signal(src, sym, figures)

    def publish(self, topic: object, data: object) -> None:
        """As the seat's, while it lasts."""
        with self._one_at_a_time:
            self._check()
            self._host.publish(topic, data)

    def stop(self, reason: object) -> None:
        """As the seat's, while it lasts."""
        with self._one_at_a_time:
            self._check()
            self._host.stop(reason)

    def out_of_scope(self, name: str) -> None:
        """As the seat's."""
        self._host.out_of_scope(name)

    @property
    def knowledge(self) -> Knowledge:
        """As the seat's."""
        return self._host.knowledge

    def _check(self) -> None:
        if self.over.is_set():
            raise SystemExit  # of a thread, nobody is told that it ends so
        if not self._begun:
            raise RuntimeError("the bot has not started yet: signals and messages can be emitted from on_start on")

    # --- the host's side

    def begin(self) -> None:
        """From now on what it emits goes out."""
        self._begun = True

    def has(self, thread: threading.Thread | None) -> None:
        """Note a thread that runs something of it beside the callbacks."""
        if thread is not None:
            self._threads.append(thread)

    def end(self) -> None:
        """From now on nothing of it goes out, and its threads end with the next thing that they do."""
        with self._one_at_a_time:  # none of them is about to emit something
            self.over.set()
            for thread in self.left():
                assert thread.ident is not None, "it is started"
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))

    def left(self) -> list[threading.Thread]:
        """The threads that have not ended."""
        return [thread for thread in self._threads if thread.is_alive()]


class Loaded(NamedTuple):
    """A script that was loaded anew and does not run yet."""

    bot: Bot
    generation: Generation
    cron: Cron
    planned: list[Plan]
