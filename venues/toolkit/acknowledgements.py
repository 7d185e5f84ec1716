"""Subscriptions that a venue acknowledges: what was asked for, what it took, what it refused, what is overdue. Pure.

A session asks through `Acknowledgements`, and tells it each answer; a route holds the `Taken`, which outlives
connections. A symbol that was never taken and is refused ends its stream, with all refused symbols named. One that was
taken before is asked for again for ten minutes, and then closed, while the others go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from venues.errors import VenueRefused
from venues.streams import STREAMS
from venues.toolkit.decoding import excerpt
from venues.toolkit.pacing import Pacing
from venues.venue import Item, Lost, Refused, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from venues.venue import Now

VERDICTS_WITHIN = 2.0  # seconds for the other connections' refusals, once one was refused symbols
WITHIN = 10.0  # seconds in which an answer is to come
MOST_TRIES = 3  # a connection on which nothing is answered is given up after so many requests of the same thing
RETURNS_WITHIN = 600.0  # seconds in which a symbol that the venue had taken is asked for again
LASTING = 60.0  # seconds without a refusal after which these begin anew
MOST_SYMBOLS = 100  # in a request, unless the venue allows fewer
MOST_REQUESTS = 10_000  # that are remembered until they are answered
LONGEST_WORDS = 200  # characters of a venue's words about a symbol
MOST_WORDS = 5  # different words of a venue's in one text
LEFT_OUT = "it is missing from the venue's acknowledgement"

Thing = TypeVar("Thing")
_Key = tuple[str, str]  # a channel and a symbol


class Request(NamedTuple):
    """One request: the symbols of a channel, as the venue calls it, that it is to be asked for.

    `id` counts the requests of a connection, from 1; a venue that repeats it in its answers can be answered for by it.
    `anew`: the symbols are subscribed to already, and must be unsubscribed from first.
    """

    id: int
    channel: str
    symbols: tuple[str, ...]
    anew: bool


class Taken:
    """What a venue has taken and refused on a route, over all its connections."""

    def __init__(self) -> None:
        self.taken: set[_Key] = set()
        self.closed: dict[_Key, str] = {}  # refused for good, and the venue's words
        self.refusals: dict[_Key, tuple[float, float]] = {}  # when the venue first refused what it had taken, and last
        self.pacings: dict[_Key, Pacing] = {}

    def clear(self) -> None:
        """Forget everything."""
        for kept in (self.taken, self.closed, self.refusals, self.pacings):
            kept.clear()


class _Asked:
    """One symbol of a channel on this connection, and the streams that live from it."""

    __slots__ = (
        "anew",
        "data_by",
        "data_within",
        "first_by",
        "late",
        "overdue",
        "pacing",
        "refused",
        "silent",
        "state",
        "streams",
        "symbol",
        "told",
        "tries",
    )

    def __init__(self, symbol: str, pacing: Pacing) -> None:
        self.symbol = symbol
        self.streams: tuple[str, ...] = ()
        self.pacing = pacing
        self.state: Literal["asked", "waiting", "taken", "refused"] = "waiting"
        self.first_by: float  # until then it is not known whether the first subscription is refused
        self.overdue: float  # until then the answer is to come
        self.tries = 0
        self.data_within: float | None
        self.data_by: float | None  # until then the first data is to come, once it is acknowledged
        self.silent = False  # it was said that no data came
        self.late: bool  # it waits to be asked for again only because the answer is overdue
        self.anew = False  # it was taken on this connection, and is asked for once more
        self.refused = ""  # the venue's words, if it is refused now
        self.told = False  # that it is overdue, or refused


class Acknowledgements:
    """What one connection has asked for.

    A session asks with `ask`, and says with `acknowledged`, `refused`, `answered` or `failed` what the venue answers;
    what they return goes out with the session's items. It calls `tick` at `deadline`, and `leave` when it leaves. An
    answer to nothing that was asked for changes nothing, and neither does a second one.

    Streams of events are live once acknowledged. Those of a state are made live by the session, with their first state.
    `over`: the streams that were refused, of which nothing more is to be given.
    """

    def __init__(
        self,
        venue: str,
        kept: Taken,
        send: Callable[[Request], None],
        *,
        most: int = MOST_SYMBOLS,
        within: float = WITHIN,
    ) -> None:
        """`send` puts the frames of a request among those to be sent; `most`: so many symbols a request takes.

        `within`: seconds in which the venue answers.
        """
        self.over: set[str] = set()
        self._venue = venue
        self._kept = kept
        self._send = send
        self._most = most
        self._within = within
        self._asked: dict[_Key, _Asked] = {}
        self._requests: dict[int, tuple[_Key, ...]] = {}
        self._last_id = 0
        self._answers = 0
        self._due: float | None = None
        self._changed = False  # since `_due` was computed

    # --- asking

    def ask(
        self,
        channel: str,
        symbols: Sequence[str],
        now: Now,
        *,
        streams: Sequence[str] | None = None,
        data_within: float | None = None,
    ) -> list[Item]:
        """Ask for the symbols of a channel, at once. What was closed on this route is left out.

        `streams`: those that live from it, unless the stream has the channel's name. Without any, the channel is only
        joined in, and nothing is said of it. Asked for what was asked for before, it only gains streams.
        `data_within`: seconds after the acknowledgement in which the venue always sends something, such as a snapshot;
        without it (`arrived`), the symbol is asked for anew. None: it may be silent.
        """
        wanted = tuple(STREAMS[stream].name for stream in ((channel,) if streams is None else streams))
        new: list[_Key] = []
        begun: dict[str, list[str]] = {}
        live: list[Item] = []
        for symbol in symbols:
            key = channel, symbol
            if key in self._kept.closed:
                continue
            one = self._asked.get(key)
            if one is None:
                one = self._asked[key] = _Asked(symbol, self._kept.pacings.setdefault(key, Pacing()))
                one.first_by = now.mono + self._within
                one.data_within = data_within
                new.append(key)
            added = [stream for stream in wanted if stream not in one.streams]
            one.streams += tuple(added)
            for stream in added:
                begun.setdefault(stream, []).append(symbol)
            if one.state == "taken":
                live += self._live(one, added)
        self._request(new, now)
        return [*self._states(begun, "syncing", ""), *live]

    def again(self, channel: str, symbol: str, now: Now) -> None:
        """Ask anew for a symbol that was taken, because its state is in doubt; paced."""
        one = self._asked.get((channel, symbol))
        if one is None or one.state != "taken":
            return  # it is under way
        one.anew, one.state, one.late, self._changed = True, "waiting", False, True
        if one.pacing.again(now.mono):
            self._request([(channel, symbol)], now)

    def is_taken(self, channel: str, symbol: str) -> bool:
        """Whether the venue has acknowledged the symbol, so that its data may be shown."""
        one = self._asked.get((channel, symbol))
        return one is not None and one.state == "taken"

    # --- answers

    def acknowledged(self, channel: str, symbol: str, now: Now) -> list[Item]:
        """The venue has taken a symbol that was asked for."""
        return self._take([(channel, symbol)], now)

    def arrived(self, channel: str, symbol: str, now: Now) -> list[Item]:
        """Data of the symbol came: the venue has taken it, also if its answer is late or lost."""
        key = channel, symbol
        one = self._asked.get(key)
        if one is None or (one.state == "taken" and one.data_by is None) or (one.anew and one.state != "taken"):
            return []
        items = [] if one.state == "taken" else self._take([key], now)
        if one.state == "taken":
            one.data_by, one.silent, self._changed = None, False, True
        return items

    def refused(self, channel: str, symbol: str, reason: str, now: Now, *, retry: bool = False) -> list[Item]:
        """The venue refuses the symbol; `reason` is in its words. `retry`: it only wants to be asked more slowly."""
        return self._refuse([(channel, symbol)], reason, now, retry=retry)

    def answered(self, request: int, taken: Collection[str], now: Now, *, reason: str = LEFT_OUT) -> list[Item]:
        """The one answer to a request came, which names the symbols that were taken. The others are refused."""
        keys = self._requests.pop(request, ())
        items = self._take([key for key in keys if key[1] in taken], now)
        return [*items, *self._refuse([key for key in keys if key[1] not in taken], reason, now, retry=False)]

    def failed(self, request: int | None, reason: str, now: Now, *, retry: bool = False) -> list[Item]:
        """The venue refuses a whole request; None: all that is not answered yet. `retry` as of `refused`."""
        keys = tuple(self._asked) if request is None else self._requests.pop(request, ())
        return self._refuse([key for key in keys if self._awaits(key)], reason, now, retry=retry)

    # --- time

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None while nothing is awaited."""
        if self._changed:
            self._changed = False
            self._due = min((due for key, one in self._asked.items() for due in self._dues(key, one)), default=None)
        return self._due

    def tick(self, now: Now) -> list[Item]:
        """Says what is overdue, asks for what is to be asked for again, and closes what was refused for ten minutes."""
        due = self.deadline()
        if due is None or now.mono < due:
            return []
        self._changed = True
        items = self._be_late(now)
        if items and isinstance(items[-1], Lost):
            return items
        items += self._be_silent(now)
        items += self._close([key for key in self._asked if self._is_refused_for_good(key, now)])
        waiting = [key for key, one in self._asked.items() if one.state == "waiting" and one.pacing.is_due(now.mono)]
        self._request(waiting, now)
        return [*items, *self._verdict(now)]

    def leave(self) -> None:
        """Ask for nothing more; what is answered from now on changes nothing."""
        self._asked.clear()
        self._requests.clear()
        self._changed = True

    def forget(self) -> None:
        """Forget also what other connections of the route were answered: what follows is a later run of mon."""
        self.leave()
        self._kept.clear()

    # --- what becomes of it

    def _request(self, keys: Sequence[_Key], now: Now) -> None:
        self._changed = True
        kinds = dict.fromkeys((channel, self._asked[channel, symbol].anew) for channel, symbol in keys)
        for kind in kinds:
            symbols = [symbol for channel, symbol in keys if (channel, self._asked[channel, symbol].anew) == kind]
            for some in chunks(symbols, self._most):
                self._last_id += 1
                self._requests[self._last_id] = tuple((kind[0], symbol) for symbol in some)
                if len(self._requests) > MOST_REQUESTS:
                    del self._requests[next(iter(self._requests))]
                for key in self._requests[self._last_id]:
                    one = self._asked[key]
                    one.state, one.overdue, one.tries = "asked", now.mono + self._within, one.tries + 1
                    one.pacing.tried(now.mono)
                self._send(Request(self._last_id, kind[0], some, kind[1]))

    def _awaits(self, key: _Key) -> bool:
        """Whether an answer may still come; if it is late, what it brought may have come before it was asked anew."""
        one = self._asked.get(key)
        return one is not None and (one.state == "asked" or (one.state == "waiting" and one.late and not one.anew))

    def _take(self, keys: Iterable[_Key], now: Now) -> list[Item]:
        live: dict[str, list[str]] = {}
        syncing: dict[str, list[str]] = {}
        for key in filter(self._awaits, keys):
            one = self._asked[key]
            self._answers += 1
            self._kept.taken.add(key)
            self._kept.refusals.pop(key, None)
            one.pacing.settled(now.mono)
            for stream in one.streams:
                if STREAMS[stream].kind == "event":
                    live.setdefault(stream, []).append(one.symbol)
                elif one.told:
                    syncing.setdefault(stream, []).append(one.symbol)
            one.state, one.refused, one.told, one.anew, one.late = "taken", "", False, False, False
            one.data_by = None if one.data_within is None else now.mono + one.data_within
        self._changed = True
        items = [
            *self._states(live, "live", ""),
            *self._states(syncing, "syncing", "the venue has acknowledged it; waiting for its first state"),
        ]
        return [*items, *self._verdict(now)]

    def _refuse(self, keys: Iterable[_Key], reason: str, now: Now, *, retry: bool) -> list[Item]:
        words = excerpt(reason, LONGEST_WORDS)
        paced: dict[str, list[str]] = {}
        gone: dict[str, list[str]] = {}
        items: list[Item] = []
        for key in keys:
            one = self._asked.get(key)
            if one is None or not (one.state == "taken" or self._awaits(key)):
                continue
            self._answers += 1
            self._changed = True
            if not retry and key not in self._kept.taken:
                one.state, one.refused = "refused", words
                continue
            if not retry:
                one.refused = words
                self._note_refusal(key, now)
            if self._is_over(key, now):
                items += self._close([key])
                continue
            self._wait(one, now)
            if not one.told:
                one.told = True
                for stream in one.streams:
                    (paced if retry else gone).setdefault(stream, []).append(one.symbol)
        items += self._states(paced, "syncing", f"{words}; asked for again after a pause")
        items += self._states(gone, "stale", f"the venue refuses it ({words}), which it had taken before; asked again")
        return [*items, *self._verdict(now)]

    def _note_refusal(self, key: _Key, now: Now) -> None:
        since, latest = self._kept.refusals.get(key, (now.mono, now.mono))
        self._kept.refusals[key] = (now.mono if now.mono - latest > LASTING else since, now.mono)

    def _wait(self, one: _Asked, now: Now, *, late: bool = False) -> None:
        """Sets when the symbol is asked for again: a pause from now, which is longer each time."""
        one.state, one.late = "waiting", late
        if one.pacing.has_lasted(now.mono):
            one.pacing.relax()
        one.pacing.due = now.mono + one.pacing.pause
        one.pacing.lengthen()

    def _be_late(self, now: Now) -> list[Item]:
        """Takes what is overdue. While a message is still arriving, what is awaited may be behind it."""
        late: dict[str, list[str]] = {}
        most = 0
        for key, one in self._asked.items():
            if one.state == "asked" and now.arriving is not None:
                one.overdue = max(one.overdue, now.arriving + self._within)
                one.first_by = max(one.first_by, one.overdue) if one.tries == 1 else one.first_by
            if one.state != "asked" or now.mono < one.overdue:
                continue
            most = max(most, one.tries)
            self._wait(one, now, late=True)
            if key in self._kept.refusals:
                self._kept.refusals[key] = (self._kept.refusals[key][0], now.mono)
            if not one.told:
                one.told = True
                for stream in one.streams:
                    late.setdefault(stream, []).append(one.symbol)
        said = f"{self._venue} has not acknowledged the subscription in {self._within:.0f} s; asked again"
        items = self._states(late, "syncing", said)
        if most >= MOST_TRIES and not self._answers:
            items.append(Lost(f"{self._venue} answers no subscription, asked {most} times"))
        return items

    def _be_silent(self, now: Now) -> list[Item]:
        """Asks anew for what was acknowledged, but brought nothing."""
        silent: dict[str, list[str]] = {}
        for (channel, symbol), one in self._asked.items():
            if one.state != "taken" or one.data_by is None or one.data_within is None:
                continue
            if now.arriving is not None:
                one.data_by = max(one.data_by, now.arriving + one.data_within)
            if now.mono < one.data_by:
                continue
            self.again(channel, symbol, now)
            for stream in () if one.silent else one.streams:
                silent.setdefault(stream, []).append(symbol)
            one.silent = True
        return self._states(silent, "syncing", f"{self._venue} has acknowledged it, but sends nothing; asked anew")

    def _is_over(self, key: _Key, now: Now) -> bool:
        since = self._kept.refusals.get(key)
        return since is not None and now.mono - since[0] >= RETURNS_WITHIN

    def _is_refused_for_good(self, key: _Key, now: Now) -> bool:
        return self._asked[key].state == "waiting" and self._is_over(key, now)

    def _close(self, keys: Sequence[_Key]) -> list[Item]:
        items: list[Item] = []
        for key in keys:
            one = self._asked.pop(key)
            words = one.refused or "it does not answer"
            self._kept.closed[key] = words
            for stream in one.streams:
                symbols = {one.symbol: words}
                symbol: str | None = one.symbol
                if not any(stream in other.streams for other in self._asked.values()):  # the last one: the whole stream
                    symbols = {other[1]: said for other, said in self._kept.closed.items() if other[0] == key[0]}
                    symbol = None
                reason = f"{in_words(self._venue, stream, symbols)}; given up after 10 min"
                items.append(Refused(reason, stream, symbol, symbols=symbols, late=True))
        return items

    def _verdict(self, now: Now) -> list[Item]:
        """The refusals of the first subscription, all at once: when each symbol was answered or is overdue."""
        refused = [one for one in self._asked.values() if one.state == "refused" and one.streams]
        if not refused or any(self._is_pending(one) and now.mono < one.first_by for one in self._asked.values()):
            return []
        by_stream: dict[str, dict[str, str]] = {}
        for one in refused:
            for stream in one.streams:
                by_stream.setdefault(stream, {})[one.symbol] = one.refused
        self._end(by_stream)
        return [
            Refused(in_words(self._venue, stream, symbols), stream, symbols=symbols)
            for stream, symbols in by_stream.items()
        ]

    def _end(self, streams: Collection[str]) -> None:
        """Asks no more for what only these streams live from."""
        self.over |= set(streams)
        for key, one in list(self._asked.items()):
            left = tuple(stream for stream in one.streams if stream not in self.over)
            if one.streams and not left:
                del self._asked[key]
            one.streams = left

    def _is_pending(self, one: _Asked) -> bool:
        return bool(one.streams) and one.state in ("asked", "waiting")

    def _dues(self, key: _Key, one: _Asked) -> Iterable[float]:
        if one.state == "asked":
            yield one.overdue
        elif one.state == "waiting":
            if one.pacing.due is not None:
                yield one.pacing.due
            if key in self._kept.refusals:
                yield self._kept.refusals[key][0] + RETURNS_WITHIN
        elif one.state == "taken" and one.data_by is not None:
            yield one.data_by
        elif one.state == "refused" and one.streams:  # told once what is pending is not so any more
            yield from (other.first_by for other in self._asked.values() if self._is_pending(other))

    # --- words

    def _live(self, one: _Asked, streams: Iterable[str]) -> list[Item]:
        events = {stream: [one.symbol] for stream in streams if STREAMS[stream].kind == "event"}
        return self._states(events, "live", "")

    def _states(
        self, symbols: Mapping[str, Sequence[str]], state: Literal["syncing", "live", "stale"], reason: str
    ) -> list[Item]:
        """One state where it is that of all symbols of a stream, else one each."""
        items: list[Item] = []
        for stream, some in symbols.items():
            if not some:
                continue
            all_of_it = {one.symbol for one in self._asked.values() if stream in one.streams}
            if all_of_it == set(some) and not self._kept.closed:
                items.append(StreamState(stream, state, reason))
            else:
                items += [StreamState(stream, state, reason, symbol=symbol) for symbol in some]
        return items


def in_words(venue: str, stream: str, symbols: Mapping[str, str]) -> str:
    """The text that a venue refuses symbols of a stream: all of them, with its words about each."""
    by_words: dict[str, list[str]] = {}
    for symbol, words in symbols.items():
        # Words that differ only in the symbol are the same; a single symbol keeps them as they are.
        same = words if len(symbols) == 1 else " ".join(words.replace(symbol, "").split())
        by_words.setdefault(same, []).append(symbol)
    parts = [
        ", ".join(some) + (f" ({words})" if words and number < MOST_WORDS else "")
        for number, (words, some) in enumerate(by_words.items())
    ]
    return f"{venue} refuses {stream} of {'; '.join(parts)}"


def together(refusals: Sequence[VenueRefused]) -> VenueRefused:
    """One error for what several connections were refused: all symbols of a stream are named together."""
    first, *others = refusals
    if not others:
        return first
    merged: dict[tuple[str, str], dict[str, str]] = {}
    for one in refusals:
        merged.setdefault((one.venue, one.stream or ""), {}).update(one.symbols)
    text = "; ".join(in_words(venue, stream, symbols) for (venue, stream), symbols in merged.items())
    every = {symbol: words for symbols in merged.values() for symbol, words in symbols.items()}
    return VenueRefused(text, venue=first.venue, stream=first.stream, symbols=every)


def chunks(things: Sequence[Thing], most: int) -> list[tuple[Thing, ...]]:
    """The things in order, in groups of `most` or fewer."""
    return [tuple(things[at : at + most]) for at in range(0, len(things), most)]
