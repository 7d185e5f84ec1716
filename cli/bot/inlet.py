"""Where a bot's market data come from: one source a socket, or a recording that has all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.bot.plan import played_for
from venues import venue_named
from venues.recording import header_for, with_beside
from venues.venue import Settings, Subscription, symbol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.bot.plan import Plan
    from cli.bot.standing import Standings
    from cli.run.loop import Loop
    from cli.run.source import Embedded
    from venues.recording import Header, Recording


class Inlet:
    """Opens what a bot needs in the loop of its run."""

    def __init__(self, run: Loop, recording: Recording | None, standings: Standings) -> None:
        self._run = run
        self._recording = recording
        self._standings = standings
        self._headers: list[Header] = []

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
        number = 0
        for plan in planned:
            for line in plan.venue.lines(plan.subscriptions, Settings(url="")):
                settings = await self._run.open(plan.venue, line.subscriptions, embedded, say)
                self._expect(number, plan, line.subscriptions, settings.label)
                number += 1
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
        settings = await self._run.open(first.venue, played[first.venue.name], embedded, say, beside=beside)
        plans = {plan.venue.name: plan for plan in planned}
        number = 0
        for venue, subscriptions in self._run.recorded():
            for line in venue_named(venue).lines(subscriptions, Settings(url="")):
                if venue in plans:
                    wanted = [one for one in line.subscriptions if one in played[venue]]
                    self._expect(number, plans[venue], wanted, settings.label)
                number += 1
        return dict.fromkeys(played, settings.label)

    def _expect(self, line: int, plan: Plan, subscriptions: Sequence[Subscription], label: str | None) -> None:
        for one in subscriptions:
            self._standings.expect(line, one.stream, symbol_of(one))
            watched = [symbol for symbol in one.symbols if symbol in plan.symbols]
            self._run.limits.expect_markets(line, one.stream, watched, plan.venue.name, label)

    def record(self) -> str | None:
        """Begin to keep all that happens, where that was asked for; what a person should know of how it began.

        Raises:
            RecordingError: the file cannot be written.
        """
        return self._run.record(with_beside(self._headers)) if self._headers else None
