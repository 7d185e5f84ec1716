"""The lists of the venues' symbols: asked for, and kept for a day for completions and suggestions."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Generator
from typing import TYPE_CHECKING

from cli.run.known_symbols import access_without_simulator, epoch_ms, known_symbols, simulated_markets
from cli.run.source import access_for_symbols, access_to
from cli.run.suggestions import either, meant_by
from cli.settings.config import SIM
from cli.settings.symbol_cache import keep, kept, known_of, place_of
from cli.version import USER_AGENT
from venues import VENUES, venue_named
from venues.connection import SystemClock
from venues.errors import SetupError, UsageError, VenueRefused
from venues.fetching import shared_fetcher
from venues.listing import Listing
from venues.venue import has_list, without_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cli.run.source import Embedded
    from cli.settings.config import Access
    from cli.settings.symbol_cache import KnownSymbol
    from venues.records import Instrument
    from venues.redaction import Redactor
    from venues.venue import SymbolList, Venue

SUGGESTED_WITHIN = 3.0  # seconds for the list that a suggestion is taken from
KEPT_WITHIN = 0.5  # seconds for the file of a list that somebody waits for
REFRESHED_AFTER = 1.0  # seconds: a run that ends soon after its first data asks for nothing more
REFRESHED_WITHIN = 30.0
MOST_SUGGESTED = 5  # refused symbols for which others are suggested


class Lists:
    """The lists of venues as one run asks for them, with its environment, profile and secrets to hide."""

    def __init__(
        self,
        env: str | None,
        profile: str | None,
        redactor: Redactor,
        embedded: Embedded,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`say` is told what a person should know, such as that an address comes before `--env sim`."""
        self._env = env
        self._profile = profile
        self._redactor = redactor
        self._embedded = embedded
        self._say = say

    async def of(self, venue: Venue, within: float, *, ask_programs: bool = True) -> list[Instrument]:
        """The venue's list, sorted by symbol; one that the venue sent is kept.

        `ask_programs`: whether a secret that a command gives may be had for it, where one is needed.

        Raises:
            NotInTimeError: it has not come within so many seconds.
            MonError: the venue has none, or it cannot be had.
        """
        if not has_list(venue) and not (self._env == SIM and simulated_markets(venue)):
            raise no_list(venue)
        access = await access_for_symbols(venue, self._env, self._profile, self._embedded, self._say)
        listed = venue.symbol_list(access.settings)
        if listed is None:
            if self._env == SIM and (markets := simulated_markets(venue)):
                return self._listing(venue, access).checked(markets)
            raise no_list(venue)
        found = without_request(listed)
        if found is not None:  # nobody has to be asked, so it is no matter whether there is an address
            return self._listing(venue, access).checked(found)
        if not access.settings.url:
            access = await self._access_to(venue)  # says what is to be set
        listed = venue.symbol_list(access.settings)  # anew: the other one was begun
        assert listed is not None, "it was there a moment ago"
        access = await self._with_secrets(venue, access, listed, ask_programs=ask_programs)
        instruments = await self._embedded.beside(self._listing(venue, access).instruments(listed, within=within))
        if access.settings.label != SIM:
            await self._keep(venue, access, instruments)
        return instruments

    async def _access_to(self, venue: Venue) -> Access:
        return await access_to(venue, self._env, self._profile, self._embedded, self._say)

    async def _with_secrets(self, venue: Venue, access: Access, listed: SymbolList, *, ask_programs: bool) -> Access:
        """A connection of a venue without public streams needs the venue's secrets; requests never do."""
        public = [name for name, offer in venue.streams.items() if offer.public]
        if isinstance(listed, Generator) or public or not venue.secrets:
            return access
        access = await self._access_to(venue)
        if not ask_programs and any(source.kind == "command" for source in access.secrets.values()):
            raise SetupError(f"the list of {venue.name} needs a secret that a command gives, which is not run for it")
        return access

    def _listing(self, venue: Venue, access: Access) -> Listing:
        clock = SystemClock()
        return Listing(
            venue,
            access.settings,
            clock=clock,
            random=random.random,
            redactor=self._redactor,
            fetcher=shared_fetcher(
                venue.name, venue.requests_per_second, now=clock.now, sleep=clock.sleep, user_agent=USER_AGENT
            ),
            fetch_secrets=access.fetch,
            proxy=access.proxy,
            rest_proxy=access.rest_proxy,
            user_agent=USER_AGENT,
        )

    async def _keep(self, venue: Venue, access: Access, instruments: Sequence[Instrument]) -> None:
        """Keep it for a day. A disk that hangs holds nobody up, and a failure is no matter: it is only for Tab."""
        place = place_of(venue.name, None if self._env == SIM else self._env, access.settings)
        keeping = asyncio.to_thread(keep, place, instruments, epoch_ms())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEPT_WITHIN):
                await keeping

    # --- beside a run

    async def refresh(self, venues: Iterable[Venue]) -> None:
        """Keep the lists of these venues of which there is none of the last day. Whatever fails is silent."""
        await asyncio.sleep(REFRESHED_AFTER)
        for venue in venues:
            with contextlib.suppress(Exception):  # also a fault of a plug-in's: nobody has asked for this
                if await asyncio.to_thread(self._is_wanted, venue):
                    async with asyncio.timeout(REFRESHED_WITHIN):
                        await self.of(venue, REFRESHED_WITHIN, ask_programs=False)

    def _is_wanted(self, venue: Venue) -> bool:
        found = access_without_simulator(venue, self._env, self._profile) if has_list(venue) else None
        return found is not None and bool(found[0].settings.url) and kept(found[1], epoch_ms()) is None

    # --- for the words of a refusal

    async def with_suggestion(self, problem: VenueRefused, venue: Venue) -> VenueRefused:
        """The refusal of symbols, with what may be meant by them at the end of its text. It is as it was where the
        venue knows them, where it has no list, and where its list cannot be had in time."""
        try:
            async with asyncio.timeout(SUGGESTED_WITHIN):
                known = known_of(await self.of(venue, SUGGESTED_WITHIN, ask_programs=False))
        except Exception:  # also a fault of a plug-in's, which must not hide the refusal
            known = known_symbols(venue, self._env, self._profile) or []
        words = _in_words(venue, [*problem.symbols], known)
        if not words:
            return problem
        env = f" --env {self._env}" if self._env else ""
        text = f"{problem}; {words}: mon symbols {venue.name}{env}"
        more = VenueRefused(
            text, venue=problem.venue, stream=problem.stream, symbols=problem.symbols, late=problem.late
        )
        more.__cause__ = problem
        return more


def no_list(venue: Venue) -> UsageError:
    """The error that a venue has no list of its symbols, with those that have one."""
    with_list = [name for name in VENUES if name != venue.name and has_list(venue_named(name))]
    others = f"expected a venue that has one ({', '.join(with_list)})" if with_list else "no venue has one"
    simulated = f"; --env {SIM} lists the markets of its simulator" if simulated_markets(venue) else ""
    return UsageError(f"{venue.name} has no list of its symbols: {others}{simulated}")


def _in_words(venue: Venue, refused: Sequence[str], known: Sequence[KnownSymbol]) -> str:
    """What may be meant by refused symbols; empty where nothing is known, or where the venue has them all."""
    listed = {one.symbol for one in known}
    unknown = [symbol for symbol in refused if symbol not in listed]
    if not known or not unknown:
        return ""
    meant = {symbol: found for symbol in unknown[:MOST_SUGGESTED] if (found := meant_by(venue, symbol, known))}
    if not meant:
        return "all that it has"
    if len(refused) == 1:
        return f"did you mean {either(next(iter(meant.values())))}? All that it has"
    parts = [f"{either(found)} instead of {symbol}" for symbol, found in meant.items()]
    return f"did you mean {'; '.join(parts)}? All that it has"
