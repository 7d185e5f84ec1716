"""`--reload`: a script is loaded anew when it, or a module of its folder that it has imported, was saved."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.bot.market_data import Candles, MarketName
from cli.bot.own.finder import Stamp, stamp_of
from cli.bot.plan import plans
from cli.bot.script import CANDLE, SCRIPT, load
from cli.bot.script_api import MODULE, module_for
from cli.bot.timing.cron import Cron
from cli.bot.timing.generation import Generation, Loaded
from venues.errors import MonError

if TYPE_CHECKING:
    import types
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cli.bot.own.finder import OwnModules
    from cli.bot.own.modules import Home
    from cli.bot.plan import Plan
    from cli.bot.script import Bot
    from cli.bot.seat import Seat
    from cli.bot.speech import BotVoice
    from venues.venue import Now

LOOK_EVERY = 0.5  # seconds
GONE_AFTER = 4  # looks without a file
LEFT_AFTER = 2.0  # seconds that the threads of the one before have to end


class Reloads:
    """Looks at the files of the scripts, and loads those anew that were saved. Used in the event loop."""

    def __init__(
        self,
        seats: Sequence[Seat],
        own: Mapping[Path, OwnModules],
        homes: Mapping[Path, Home],
        settings: Mapping[Path, dict[str, str]],
        voice: BotVoice,
        *,
        in_turn: Callable[[Seat, Callable[[], Any]], Awaitable[Any]],
        switch: Callable[[Seat, Loaded], list[str]],
        switched: Callable[[Seat, Bot], list[str]],
    ) -> None:
        """`own` finds the modules of each script, `homes` keep them. `in_turn` runs something between two of its jobs.

        `switch` is called there: it puts what was loaded in the place of the one before; `switched` afterwards in the
        event loop. Both say what a person must know of what the new one lacks.
        """
        self._seats = seats
        self._own = own
        self._homes = homes
        self._settings = settings
        self._voice = voice
        self._in_turn = in_turn
        self._switch = switch
        self._switched = switched
        self._seen: dict[Path, dict[str, Stamp]] = {}  # what was saved, until it is the same at two looks
        self._gone: dict[Path, int] = {}  # at how many looks in a row it was not there
        self._failed: dict[Path, set[str]] = {}  # files of one that could not be loaded
        self._known = {seat.file: self._read(seat) for seat in seats}

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for seat in self._seats:
                if not seat.stopped:
                    await self._look_at(seat)

    def _read(self, seat: Seat) -> dict[str, Stamp]:
        """How the files of a script were when it was loaded: one may have been saved since."""
        stamps = self._own[seat.file].stamps
        return {file: stamps.get(file, stamp) for file, stamp in _stamps(self._files(seat)).items()}

    def _files(self, seat: Seat) -> set[str]:
        files = {path for path in self._own[seat.file].files.values() if path is not None}
        return {str(seat.file), *files, *self._failed.get(seat.file, ())}

    async def _look_at(self, seat: Seat) -> None:
        known = self._known[seat.file] = {**self._read(seat), **self._known[seat.file]}  # it imports more in callbacks
        now = _stamps({*self._files(seat), *known})
        self._look_for(seat, is_there=str(seat.file) in now)
        seen = self._seen.pop(seat.file, None)
        if now == known or str(seat.file) not in now:
            return  # it is being replaced
        if seen != now:
            self._seen[seat.file] = now  # somebody may be writing it
        else:
            await self._reload(seat)
            self._known[seat.file] = self._read(seat)

    def _look_for(self, seat: Seat, *, is_there: bool) -> None:
        """Say once of a script's file that it is gone: an editor that replaces it takes no two seconds."""
        self._gone[seat.file] = 0 if is_there else self._gone.get(seat.file, 0) + 1
        if self._gone[seat.file] == GONE_AFTER:
            self._voice.error(f"{seat.file} is not there any more; what was loaded goes on until it is there again")

    async def _reload(self, seat: Seat) -> None:
        name = seat.file.name
        own = self._own[seat.file]
        before = dict(own.files)
        old = seat.generation
        try:
            said = await self._in_turn(seat, partial(self._load_and_switch, seat))
        except MonError as error:
            self._failed.setdefault(seat.file, set()).update(path for path in own.files.values() if path is not None)
            own.files.clear()
            own.files.update(before)
            self._voice.error(f"{name} was saved and cannot be loaded; the one before goes on\n{error}")
            return
        self._failed.pop(seat.file, None)
        assert seat.bot is not None, "it is loaded"
        said += self._switched(seat, seat.bot)
        self._voice.error(f"{name} was saved and is loaded anew: what it knew before is lost, its candles stay")
        for text in (*seat.bot.remarks, *said):
            self._voice.error(text)
        if old is not None:
            asyncio.get_running_loop().call_later(LEFT_AFTER, self._tell_of_those_left, name, old)

    def _load_and_switch(self, seat: Seat) -> list[str]:
        """Called in turn with the script's callbacks. The one before goes on where the new one cannot be loaded."""
        own = self._own[seat.file]
        assert seat.logger is not None, "it is started"
        generation, cron = Generation(seat), Cron()
        module, link = module_for(generation, seat.logger, cron)
        with self._homes[seat.file].alone(), _anew(module, own):
            bot = load(seat.file, link, self._settings.get(seat.file), own)
            planned = plans(bot, seat.knowledge.markets) if seat.knowledge.markets else []
        return self._switch(seat, Loaded(bot, generation, cron, planned))

    def _tell_of_those_left(self, name: str, old: Generation) -> None:
        for thread in old.left():
            self._voice.error(f"{name}: {thread.name} of the one before has not ended: nothing of it goes out any more")


def lacks(planned: Iterable[Plan], opened: Mapping[str, Plan]) -> Iterator[str]:
    """What a script that was loaded anew needs and gets nothing of before `mon` is started again."""
    for plan in planned:
        has = opened.get(plan.venue.name)
        for stream in sorted(plan.streams() - (set() if has is None else has.streams())):
            yield (
                f"{stream} of {plan.venue.name} were not opened at the start: its callbacks for them are not called; "
                "start mon again for that"
            )


def new_candles(
    seat: Seat, bot: Bot, planned: Iterable[Plan], live: Callable[[MarketName], bool], now: Now
) -> list[str]:
    """Let a script have candles that it did not have before, where these can be made from now on.

    Those that cannot are not called. The result is what to say of both.
    """
    said: dict[str, None] = {}
    candles = dict(seat.candles)
    for plan in planned:
        for market in (MarketName(plan.venue.name, symbol) for symbol in plan.symbols):
            if market not in candles:
                candles[market] = Candles([])
                if live(market):
                    candles[market].live(now.epoch_ms)
            new = [level for level in bot.levels() if level not in candles[market].levels]
            if new and plan.candles_from == "trades" and seat.candles_from.get(market.venue) in (None, "trades"):
                candles[market].begin_levels(new, now)
                said[f"its candles of {' '.join(new)} begin now, without a history"] = None
            elif new:
                for level in new:
                    bot.callbacks.pop(f"{CANDLE}{level}", None)
                said[f"its candles of {' '.join(new)} are not called: start mon again for them"] = None
    seat.candles = seat.knowledge.candles = candles
    seat.candles_from = {**{plan.venue.name: plan.candles_from for plan in planned}, **_said_by(seat.candles_from)}
    return list(said)


def _said_by(candles_from: Mapping[str, str | None]) -> dict[str, str | None]:
    return {venue: stream for venue, stream in candles_from.items() if stream is not None}


def _stamps(files: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of the files that are there."""
    found = {file: stamp_of(file) for file in files}
    return {file: stamp for file, stamp in found.items() if stamp is not None}


@contextlib.contextmanager
def _anew(module: types.ModuleType, own: OwnModules) -> Iterator[None]:
    """While it lasts, a script and the modules of its folder are imported anew. They are as before if that fails."""
    names = {*own.files, MODULE, SCRIPT}
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    own.files.clear()
    sys.modules[MODULE] = module
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in {*own.files, MODULE, SCRIPT}:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
        raise
