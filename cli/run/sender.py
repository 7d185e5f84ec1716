"""Commands on their way to a venue: one connection, opened when the first one comes, and what became of each.

Nothing is ever sent twice: a command is handed to a connection once, and never again when that connection is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.errors import REFUSED, UNREACHABLE, exit_code
from cli.output import cells
from cli.run.ending import ended_within
from cli.version import USER_AGENT
from venues.connection import Connection, SystemClock
from venues.driver import Driver
from venues.errors import MonError
from venues.fetching import shared_fetcher
from venues.records import Status
from venues.venue import BadFrame, Command, Notice, Receipt, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.settings.config import Access
    from venues.driver import Delivered
    from venues.redaction import Redactor
    from venues.venue import Venue

ACKNOWLEDGED_WITHIN = 2.0  # seconds; a venue need not acknowledge anything
ARRIVED_WITHIN = 12.0  # seconds for the answer to the ping behind a command; the line is given up before that


@dataclass
class Outcome:
    """What became of a command. `sent` None: it may have arrived, and nobody knows. `code` is an exit code.

    `refused`: it arrived, and was not taken. `final`: no other command has a chance.
    """

    sent: bool | None
    error: str | None = None
    code: int = 0
    acknowledged: bool = False
    answered: tuple[Any, ...] = ()
    final: bool = False
    refused: bool = False


@dataclass(eq=False)
class _Underway:
    """A command that was handed to the connection."""

    command: Command
    arrived: bool = False
    receipt: Receipt | None = None
    lost: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


LEAVE_WITHIN = 0.3  # seconds to take leave of a venue when somebody does not want to wait


class Sender:
    """One connection on which commands go out."""

    def __init__(
        self,
        venue: Venue,
        subscription: Subscription,
        access: Access,
        *,
        redactor: Redactor,
        say: Callable[[str], None],
        retries: int | None,
        late: Callable[[Command, str], None] | None = None,
    ) -> None:
        """`subscription` is what the venue wants to be asked for on a connection of this kind.

        `retries`: for one command, which is given up after so many tries to connect; None: for as many as come.
        `late` is called with a command, and why it was refused, when `send` has returned already.
        """
        (route,) = venue.routes([subscription], access.settings)
        label = access.settings.label
        clock = SystemClock()
        fetcher = shared_fetcher(
            venue.name, venue.requests_per_second, now=clock.now, sleep=clock.sleep, user_agent=USER_AGENT
        )
        self._driver = Driver(route, [subscription], venue=venue.name, label=label, retries=retries, hide=redactor.text)
        self._connection = Connection(
            self._driver,
            fetch_secrets=access.fetch,
            deliver=self._deliver,
            clock=clock,
            random=random.random,
            redactor=redactor,
            proxy=access.proxy,
            user_agent=USER_AGENT,
            fetcher=fetcher,
            rest_proxy=access.rest_proxy,
        )
        self._is_for_one = retries is not None
        self._venue = venue.name
        self._redactor = redactor
        self._say = say
        self._late = late
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # commands go out in the order in which they came
        self._ready = False
        self._ended: MonError | None = None
        self._interrupted = False
        self._trouble = ""
        self._changed = asyncio.Event()
        self._underway: list[_Underway] = []

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection on which commands go out."""
        return self._ready

    async def ready(self) -> None:
        """Connect, and wait for it as long as it takes; also for the connection after one that was lost.

        Raises:
            MonError: there will be none any more.
        """
        self._start()
        while not self._ready:
            if self._ended is not None:
                raise self._ended
            await self._wait(self._changed, None)

    async def send(self, command: Command, timeout: float) -> Outcome:
        """Send a command once, as soon as there is a connection; wait at most `timeout` seconds for that."""
        deadline = asyncio.get_running_loop().time() + timeout
        async with self._turn:
            not_sent = await self._until_ready(deadline, timeout)
            if not_sent is not None:
                return not_sent
            try:
                self._connection.send(command)
            except MonError as error:
                return Outcome(False, f"{error}; nothing was sent", UNREACHABLE)
            underway = _Underway(command)
            self._underway.append(underway)
        try:
            return await self._outcome(underway)
        finally:
            self._underway.remove(underway)

    def interrupt(self) -> None:
        """End all waiting: what is not sent yet is never sent."""
        self._interrupted = True
        self._lose("interrupted")

    async def close(self) -> bool:
        """Close the connection; whether that went in order, with everything written. True if there never was one."""
        if self._task is None:
            return True
        self._connection.leave()
        await ended_within(self._task, LEAVE_WITHIN if self._interrupted else None)
        return self._connection.left_in_order

    # --- waiting

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _until_ready(self, deadline: float, timeout: float) -> Outcome | None:
        self._start()
        while not self._ready:
            if self._ended is not None:
                words = self._redactor.text(str(self._ended))
                return Outcome(False, f"{words}; nothing was sent", exit_code(self._ended), final=True)
            if self._interrupted:
                return Outcome(False, "interrupted; nothing was sent", UNREACHABLE)
            if not await self._wait(self._changed, deadline):
                last = f" ({self._trouble})" if self._trouble else ""
                words = f"{self._venue} did not let us in within {cells.duration(timeout * 1000)}{last}"
                return Outcome(False, f"{words}; nothing was sent", UNREACHABLE)
        return None

    async def _outcome(self, underway: _Underway) -> Outcome:
        begun = asyncio.get_running_loop().time()
        while True:
            receipt = underway.receipt
            if receipt is not None:
                return self._received(receipt)
            if underway.lost is not None:
                return self._lost(underway)
            patience = ACKNOWLEDGED_WITHIN if underway.arrived else ARRIVED_WITHIN
            if await self._wait(underway.changed, begun + patience):
                continue
            return Outcome(True) if underway.arrived else self._lost(underway)

    def _received(self, receipt: Receipt) -> Outcome:
        answered = tuple(map(self._redactor.value, receipt.answered))
        outcome = Outcome(True, acknowledged=receipt.acknowledged, answered=answered)
        if receipt.refused is not None:
            outcome.error = self._refusal(receipt.refused)
            outcome.code, outcome.refused = REFUSED, True
        return outcome

    def _refusal(self, said: str) -> str:
        return f"{self._venue} refused it: {self._redactor.text(said)}"

    def _lost(self, underway: _Underway) -> Outcome:
        why = self._redactor.text(underway.lost or "no answer to a ping")
        if underway.arrived:
            return Outcome(True, f"it was sent, and then: {why}", UNREACHABLE)
        return Outcome(None, f"it may have been sent or not: {why}; find out before you send it again", UNREACHABLE)

    @staticmethod
    async def _wait(event: asyncio.Event, deadline: float | None) -> bool:
        """Whether anything has changed by then; None for as long as it takes."""
        event.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await event.wait()
                return True
        return False

    # --- what comes in

    async def _run(self) -> None:
        try:
            await self._connection.run()
        except MonError as error:
            self._ended = error
        finally:
            self._lose(str(self._ended) if self._ended is not None else "the connection was closed")

    def _deliver(self, items: list[Delivered]) -> None:
        for item in items:
            if isinstance(item, Receipt):
                self._on_receipt(item)
            elif isinstance(item, Status):
                self._on_status(item)
            elif isinstance(item, Notice):
                self._say(self._redactor.text(item.text))
            elif isinstance(item, BadFrame):
                self._say(self._redactor.text(f"bad frame: {item.reason}"))

    def _on_receipt(self, receipt: Receipt) -> None:
        for underway in self._underway:
            if underway.command is receipt.command:
                underway.arrived = True
                if receipt.acknowledged or receipt.refused is not None:
                    underway.receipt = receipt
                underway.changed.set()
                return
        if receipt.refused is not None and self._late is not None:
            self._late(receipt.command, self._refusal(receipt.refused))

    def _on_status(self, status: Status) -> None:
        if status.state == "live":
            self._ready = True
            self._changed.set()
        elif status.state in ("reconnecting", "closed"):
            self._trouble = self._redactor.text(status.reason or "")
            self._lose(self._trouble)
            if status.state == "reconnecting" and not (self._is_for_one and self._underway):
                again = cells.duration(status.retry_in_ms or 0)
                self._say(f"{self._trouble}; trying again in {again} (try {status.attempt})")

    def _lose(self, why: str) -> None:
        self._ready = False
        self._changed.set()
        for underway in self._underway:
            underway.lost = underway.lost or why
            underway.changed.set()
