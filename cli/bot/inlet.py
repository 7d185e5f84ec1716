"""Where a bot's market data come from: one source a socket, or a recording; with their age, and kept if wanted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from cli.bot.ages import Ages
from cli.bot.plan import played_for
from cli.run.options import existing_file
from cli.run.source import Source
from venues import venue_named
from venues.errors import MonError
from venues.recording import Recorder, header_for, with_beside
from venues.venue import Now, Settings, Subscription, symbol_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cli.bot.plan import Plan
    from cli.bot.request import BotRequest
    from cli.bot.standing import Standings
    from cli.run.source import Embedded
    from venues.connection import Clock
    from venues.driver import Delivered
    from venues.events import Event
    from venues.recording import Header, Recording
    from venues.redaction import Redactor


class OnItem(Protocol):
    """Takes what a line delivers; `by_age`: it is said by `--max-age`, not by the venue."""

    def __call__(self, line: int, item: Delivered, now: Now, *, by_age: bool) -> None: ...


class Inlet:
    """All lines of a bot's run. `open`, then `record` where that is wanted, then `run`, which `leave` ends."""

    def __init__(
        self,
        request: BotRequest,
        recording: Recording | None,
        clock: Clock,
        redactor: Redactor,
        standings: Standings,
    ) -> None:
        """`clock` is that of a replay where there is a `recording`."""
        self._request = request
        self._recording = recording
        self._clock = clock
        self._redactor = redactor
        self._standings = standings
        self._sources: list[Source] = []
        self._headers: list[Header] = []
        self._ages = None if request.max_age is None else Ages(request.max_age)
        self._age_timer: asyncio.TimerHandle | None = None
        self._recorder: Recorder | None = None
        self._flush_due = False

    def __bool__(self) -> bool:
        """Whether there is anything that could come."""
        return bool(self._sources)

    # --- opening

    async def open(
        self, planned: Sequence[Plan], embedded: Embedded, say: Callable[[str], None]
    ) -> dict[str, str | None]:
        """Find out where the venues are; the label of each of them.

        Raises:
            SetupError: something is missing or cannot be used.
        """
        if self._recording is not None:
            return await self._open_recorded(planned, self._recording, embedded, say)
        labels: dict[str, str | None] = {}
        for plan in planned:
            for line in plan.venue.lines(plan.subscriptions, Settings(url="")):
                source = self._source(plan, line.subscriptions)
                settings = await source.open(embedded, say)
                self._expect(len(self._sources), plan, line.subscriptions, settings.label)
                self._sources.append(source)
            labels[plan.venue.name] = settings.label
            self._headers.append(header_for(plan.venue.name, settings, plan.subscriptions))
        return labels

    async def _open_recorded(
        self, planned: Sequence[Plan], recording: Recording, embedded: Embedded, say: Callable[[str], None]
    ) -> dict[str, str | None]:
        """One source for all that a recording has."""
        if not planned:
            return {}
        played = {plan.venue.name: played_for(plan, recording.header) for plan in planned}
        first, *others = planned
        beside = {plan.venue.name: played[plan.venue.name] for plan in others}
        source = self._source(first, played[first.venue.name], beside)
        settings = await source.open(embedded, say)
        self._sources.append(source)
        plans = {plan.venue.name: plan for plan in planned}
        number = 0
        for venue, subscriptions in source.played():
            for line in venue_named(venue).lines(subscriptions, Settings(url="")):
                if venue in plans:
                    wanted = [one for one in line.subscriptions if one in played[venue]]
                    self._expect(number, plans[venue], wanted, settings.label)
                number += 1
        return dict.fromkeys(played, settings.label)

    def _source(
        self,
        plan: Plan,
        subscriptions: Sequence[Subscription],
        beside: Mapping[str, Sequence[Subscription]] | None = None,
    ) -> Source:
        return Source(
            plan.venue,
            subscriptions,
            env=self._request.env,
            profile=self._request.profile,
            retries=self._request.retries,
            clock=self._clock,
            redactor=self._redactor,
            recording=self._recording,
            first_line=len(self._sources),
            beside=beside,
        )

    def _expect(self, line: int, plan: Plan, subscriptions: Sequence[Subscription], label: str | None) -> None:
        for subscription in subscriptions:
            self._standings.expect(line, subscription.stream, symbol_of(subscription))
            if self._ages is not None:
                watched = [symbol for symbol in subscription.symbols if symbol in plan.symbols]
                self._ages.expect(line, plan.venue.name, label, subscription.stream, watched)

    def record(self) -> None:
        """Begin to keep all that happens.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._request.record is not None and self._headers:
            header, existing = with_beside(self._headers), existing_file(self._request)
            self._recorder = Recorder(self._request.record, header, self._redactor, existing)

    # --- running

    async def run(
        self,
        on_item: OnItem,
        *,
        after_replayed: Callable[[int], Awaitable[None]],
        on_trouble: Callable[[BaseException], None],
    ) -> None:
        """Deliver until `leave`, until the recording ends, or until a line has ended for good, which ends all.

        `after_replayed` is awaited with the number of items that were delivered; `on_trouble` gets told when the
        recording cannot be written any more.

        Raises:
            MonError: what ended it.
        """
        if not self._sources:
            if self._recording is None:
                await asyncio.Event().wait()  # webhooks are all that the script does
            return
        self._on_item, self._after_replayed, self._on_trouble = on_item, after_replayed, on_trouble
        tasks = [asyncio.create_task(self._run(line, source)) for line, source in enumerate(self._sources)]
        try:
            await asyncio.gather(*tasks)
        finally:
            self.leave()
            if self._recording is not None:
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._age_timer is not None:
                self._age_timer.cancel()

    def leave(self) -> None:
        """Take leave of the venues; a recording is ended by cancelling `run`."""
        for source in self._sources:
            source.leave()

    def close(self) -> None:
        """What was recorded is in its file; to be called also after an error.

        Raises:
            RecordingError: the file cannot be written any more.
        """
        if self._recorder is not None:
            self._recorder.close()

    async def _run(self, line: int, source: Source) -> None:
        def deliver(items: list[Delivered]) -> None:
            now = self._clock.now()
            self._deliver(line, items, now)
            self._arm_ages(now)

        async def deliver_replayed(items: list[Delivered], now: Now, line: int) -> None:
            while (due := self._age_due()) is not None and due <= now.mono:
                self._tick_ages(Now(due, now.epoch_ms - round((now.mono - due) * 1000)))
            self._deliver(line, items, now)
            await self._after_replayed(len(items))

        await source.run(
            deliver,
            deliver_replayed=deliver_replayed,
            speed=self._request.speed or 1.0,
            tap=None if self._recorder is None else self._tap,
        )

    def _deliver(self, line: int, items: list[Delivered], now: Now) -> None:
        for item in items:
            for passed in (item,) if self._ages is None else self._ages.passes(line, item, now):
                self._on_item(line, passed, now, by_age=passed is not item)

    # --- ages

    def _age_due(self) -> float | None:
        return None if self._ages is None else self._ages.deadline()

    def _arm_ages(self, now: Now) -> None:
        due = self._age_due()
        if self._age_timer is not None:
            self._age_timer.cancel()
        loop = asyncio.get_running_loop()
        self._age_timer = None if due is None else loop.call_later(max(0.0, due - now.mono), self._on_age)

    def _on_age(self) -> None:
        now = self._clock.now()
        self._tick_ages(now)
        self._arm_ages(now)

    def _tick_ages(self, now: Now) -> None:
        assert self._ages is not None
        for line, item in self._ages.tick(now):
            self._on_item(line, item, now, by_age=True)

    # --- recording

    def _tap(self, event: Event) -> None:
        """Sees every event before it takes effect."""
        assert self._recorder is not None
        self._recorder.write(event)
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        assert self._recorder is not None
        try:
            self._recorder.flush()
        except MonError as error:
            self._on_trouble(error)
