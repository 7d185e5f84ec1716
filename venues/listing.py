"""The list of a venue's symbols, by HTTP requests or by a short connection, as its entry says. Knows no venue."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import structs

from venues import checked_route
from venues.connection import Connection
from venues.driver import Driver
from venues.errors import BadMessage, MonError, VenueUnreachable
from venues.records import Instrument, SnapshotEnd
from venues.redaction import secrets_of_proxy
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.venue import BadFrame, HttpRequest, NoResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from venues.connection import Clock
    from venues.driver import Delivered
    from venues.fetching import Fetcher
    from venues.redaction import Redactor
    from venues.venue import HttpResponse, Route, Settings, SymbolList, Venue

LISTED_WITHIN = 10.0  # seconds for the whole list, however many requests it takes
MOST_SYMBOLS = 100_000
LONGEST_WORD = 200  # characters of a symbol, a currency, a kind or a status
MOST_DIGITS = 40
RETRIES = 0  # of the connection: who wants the list asks again
STREAM = "symbols"  # that of the `SnapshotEnd` behind the last instrument of a connection


class NotInTimeError(MonError):
    """The list did not come in time."""


class Listing:
    """Gets the list of one venue. `fetch_secrets` is awaited for a connection only; `proxy` as in `Connection`."""

    def __init__(
        self,
        venue: Venue,
        settings: Settings,
        *,
        clock: Clock,
        random: Callable[[], float],
        redactor: Redactor,
        fetcher: Fetcher,
        fetch_secrets: Callable[[], Awaitable[Mapping[str, str]]],
        proxy: str | None = None,
        rest_proxy: str | None = None,
        user_agent: str = "mon",
    ) -> None:
        self._venue = venue
        self._settings = settings
        self._clock = clock
        self._random = random
        self._redactor = redactor
        self._fetcher = fetcher
        self._fetch_secrets = fetch_secrets
        self._proxy = proxy
        self._rest_proxy = rest_proxy
        self._user_agent = user_agent
        redactor.learn(secrets_of_proxy(rest_proxy))

    async def instruments(self, listed: SymbolList, *, within: float = LISTED_WITHIN) -> list[Instrument]:
        """The whole list, checked and sorted by symbol; `venue`, `env` and `received` are set here.

        Raises:
            NotInTimeError: it has not come within so many seconds.
            VenueUnreachable: the venue gave none, or one that cannot be used.
            MonError: the venue's entry says why there is none.
        """
        if isinstance(listed, Generator):
            found = await self._within(within, self._by_requests(listed))
        elif hasattr(listed, "session"):
            found = await self._by_connection(listed, within)
        else:
            raise self._unusable(f"expected a generator or a route of symbol_list, got {type(listed).__name__}")
        return self.checked(found)

    def checked(self, found: Any) -> list[Instrument]:
        """The instruments, sorted by symbol.

        Raises:
            VenueUnreachable: they are no list, or one of them cannot be used; says which, and why.
        """
        if not isinstance(found, list | tuple):
            raise self._unusable(f"expected a list of instruments, got {type(found).__name__}")
        if len(found) > MOST_SYMBOLS:
            raise self._unusable(f"expected at most {MOST_SYMBOLS:,} symbols, got {len(found):,}")
        received = self._clock.now().epoch_ms
        instruments = []
        for one in found:
            if problem := _problem_of(one):
                raise self._unusable(problem)
            own = {"venue": self._venue.name, "env": self._settings.label, "received": received}
            instruments.append(structs.replace(one, **own))
        return sorted(instruments, key=lambda one: one.symbol or "")

    async def _by_requests(self, listed: Generator[HttpRequest, HttpResponse, Sequence[Instrument]]) -> Sequence[Any]:
        async with self._fetcher.used():
            try:
                request = next(listed)
                while True:
                    if not isinstance(request, HttpRequest):
                        raise self._unusable(f"expected an HTTP request, got {type(request).__name__}")
                    self._redactor.learn_url(request.url, request.shown)
                    answer = await self._fetcher.fetch(request, self._rest_proxy)
                    if isinstance(answer, NoResponse):
                        raise self._unreachable(answer.reason)
                    request = listed.send(answer)
            except StopIteration as stop:
                found: Sequence[Any] = stop.value
                return found
            except BadMessage as problem:
                raise self._unusable(str(problem)) from problem
            except DECODE_ERRORS as error:
                raise self._unusable(explain(error)) from error
            finally:
                listed.close()

    async def _by_connection(self, route: Route, within: float) -> Sequence[Any]:
        found: list[Instrument] = []
        problem: MonError | None = None
        whole = False

        def deliver(items: list[Delivered]) -> None:
            nonlocal problem, whole
            for item in items:
                if whole or problem is not None:
                    return
                if isinstance(item, Instrument):
                    found.append(item)
                elif isinstance(item, BadFrame):
                    problem = self._unusable(item.reason)
                whole = isinstance(item, SnapshotEnd) and item.stream == STREAM
                if whole or problem is not None or len(found) > MOST_SYMBOLS:
                    connection.leave()

        route = checked_route(self._venue, route)
        name, label, hide = self._venue.name, self._settings.label, self._redactor.text
        connection = Connection(
            Driver(route, route.subscriptions, venue=name, label=label, retries=RETRIES, hide=hide),
            fetch_secrets=self._fetch_secrets,
            deliver=deliver,
            clock=self._clock,
            random=self._random,
            redactor=self._redactor,
            proxy=self._proxy,
            user_agent=self._user_agent,
            fetcher=self._fetcher,
            rest_proxy=self._rest_proxy,
        )
        try:
            await self._within(within, connection.run())
        except NotInTimeError:
            if not whole:  # else only the goodbye took too long
                raise
        if problem is not None:
            raise problem
        return found

    async def _within(self, seconds: float, listing: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await listing
        except TimeoutError:
            raise NotInTimeError(f"{self._venue.name} gave no list of its symbols within {seconds:g} s") from None

    def _unreachable(self, reason: str) -> VenueUnreachable:
        return VenueUnreachable(f"{self._venue.name} gave no list of its symbols: {self._redactor.text(reason)}")

    def _unusable(self, reason: str) -> VenueUnreachable:
        words = self._redactor.text(reason)
        return VenueUnreachable(f"the list of symbols that {self._venue.name} gave cannot be used: {words}")


def _problem_of(one: Any) -> str:
    """What is wrong with an instrument, in words; empty if nothing."""
    if not isinstance(one, Instrument):
        return f"expected an instrument, got {type(one).__name__}"
    if not isinstance(one.symbol, str) or not one.symbol:
        return "expected an instrument with a symbol, got one without"
    for name in ("symbol", "base", "quote", "kind", "status"):
        word = getattr(one, name)
        if word is not None and not (isinstance(word, str) and len(word) <= LONGEST_WORD):
            got = f'"{excerpt(str(word), 60)}"'
            return f"expected a text of at most {LONGEST_WORD} characters as {name}, got {got}"
    for name in ("price_step", "size_step"):
        step = getattr(one, name)
        if step is not None and not _is_step(step):
            got = f'"{excerpt(str(step), 60)}"'
            return f"expected a number above 0 as {name} of {excerpt(one.symbol, 60)}, got {got}"
    return ""


def _is_step(step: Any) -> bool:
    if not isinstance(step, Decimal) or not step.is_finite() or step <= 0:
        return False
    return len(step.as_tuple().digits) <= MOST_DIGITS and abs(step.adjusted()) <= MOST_DIGITS
