"""Books that HTTP seeds: their changes come on the socket, and the snapshot is the answer to a request. Pure.

The snapshot may be older or newer than the changes that have come. So changes are kept from the subscription on, and a
snapshot is asked for until one fits among them. It *fits* by the book's rule:

- `chained`: its sequence is the `previous` of a kept change, or the sequence of the newest one.
- `contiguous`: it is not before the kept changes (`previous` of the first) and not after them (sequence of the newest).

The changes after it are then applied, and the book is live. A snapshot that is ahead of the changes is held until they
have come up to it. One that is behind them is of no use. Where no change has come at all, nothing shows how old a
snapshot is: it counts only if it was asked for so long after the acknowledgement that it cannot be from before. Nor
does a book count that is older than a change which has come, as when several changes come late, or older than another
snapshot: either the snapshot was asked for so long after that change that it cannot be from before it, or the changes
have led up to it.

Requests are paced by one `Pacing` a book: the pauses grow from try to try, and begin anew where the latest request was
30 s ago. A book that was live for a moment only goes on with the pauses that it had.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from venues.errors import BadMessage, BookError
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.pacing import SHORTEST_PAUSE, Pacing
from venues.toolkit.resync import said_together
from venues.toolkit.times import span
from venues.venue import Fetch, NoResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from venues.records import Extra, Level
    from venues.toolkit.book import BookDelta
    from venues.toolkit.resync import BookKeeper
    from venues.venue import HttpRequest, HttpResponse, Item, Now, Out

KEPT_FOR = 120.0  # seconds for which each change is kept at least, and …
KEPT_CHANGES = 10_000  # … so many of the newest, …
MOST_KEPT_LEVELS = 200_000  # … while they have no more levels than that, which is about 50 MB
QUIET_AFTER = 60.0  # seconds; no venue's snapshots are known to be older
MOST_REPEATED = 100  # of the newest kept changes, one of which may come again; an older one breaks the chain
LONGEST_PAUSE = 5.0  # seconds between two requests; the shortest is 1 s
ANSWERED_WITHIN = 60.0  # seconds, those that a request waits for its turn included
LONGEST_RETRY_AFTER = 86_400.0
SAID_AT_FIRST = 10  # so many failed tries are said one by one, then only each tenth
_TOO_MANY_REQUESTS = 429


class Seed(NamedTuple):
    """A snapshot that came by HTTP; `sequence` is what changes follow on, `time` the venue's, in milliseconds."""

    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int
    time: int | None = None


class _Kept(NamedTuple):
    """A change that no snapshot was found for yet; `mono` is when it came."""

    delta: BookDelta
    mono: float
    time: int | None
    extra: Extra | None


class _Newest(NamedTuple):
    """The newest change that has come, or been shown by a snapshot, and when."""

    sequence: int
    mono: float


class SeededBook:
    """The book of one symbol on one connection, from its subscription on.

    Call `begin` when the changes are subscribed to, `acknowledged` once the venue has confirmed that (or at once, where
    it never does), `change` with each change, `doubt` where one could not be read, and `fetched` with each answer.
    """

    def __init__(
        self,
        keeper: BookKeeper,
        request: HttpRequest,
        read: Callable[[HttpResponse], Seed],
        *,
        quiet_after: float = QUIET_AFTER,
        name: str = "",
    ) -> None:
        """`keeper`: of a book whose rule is `chained` or `contiguous`, made without `again`.

        `read` makes a seed of an answer with status 200; it raises `BadMessage`, `BookError` or one of `DECODE_ERRORS`
        where there is none in it, and its words are shown. `quiet_after`: seconds without any change, or since a newer
        one, after which a snapshot counts. `name`: another one for each book of a connection; the symbol by default.

        Raises:
            ValueError: another rule, by which no snapshot can be placed.
        """
        if keeper.book.rule not in ("chained", "contiguous"):
            raise ValueError(f"expected a chained or contiguous book, got the rule {keeper.book.rule}")
        keeper.awaited = "a new snapshot is asked for"
        self.keeper = keeper
        self.name = name or keeper.symbol
        self.tries = 0  # since the book was whole last
        self._request = request
        self._read = read
        self._quiet_after = quiet_after
        self._out: list[Out] = []
        self._pacing = Pacing(longest=LONGEST_PAUSE)
        self._waits_for_quiet: bool  # the next request is due once the market has been quiet for long enough
        self._not_before = -math.inf  # by the venue's Retry-After
        self._requests = 0
        self._asked: str | None = None  # the request whose answer is awaited …
        self._asked_at: float
        self._seed: Seed | None = None  # the latest answer, while it may still fit …
        self._seed_asked_at: float
        self._kept: deque[_Kept] = deque()
        self._kept_levels: int
        self._has_dropped: bool
        self._late: BookDelta | None  # the latest change that came behind a newer one
        self._start_again()
        self._newest: _Newest | None = None  # while the book is not whole
        self._quiet_since: float | None = None  # None before the acknowledgement
        self._said = ""

    @property
    def live(self) -> bool:
        """Whether the book is whole, so that changes are shown at once."""
        return self.keeper.book.whole

    def begin(self, now: Now) -> list[Item]:
        """The streams are syncing; changes that come are kept from now on. Nothing from before counts."""
        self._quiet_since = self._pacing.due = self._asked = self._seed = self._newest = None
        self._waits_for_quiet = False
        self.tries, self._said = 0, ""
        self._start_again()
        return self.keeper.begin()

    def acknowledged(self, now: Now) -> list[Item]:
        """Asks for the first snapshot: every change from here on will come."""
        if self._quiet_since is None:
            self._quiet_since = now.mono
            self._pacing.due = max(now.mono, self._pacing.tried_at + SHORTEST_PAUSE) if self._requests else now.mono
        return []

    def change(self, delta: BookDelta, now: Now, *, time: int | None = None, extra: Extra | None = None) -> list[Item]:
        """What a change brings: the book, or nothing while it is only kept.

        One that does not follow on what is held makes the streams stale, and the seeding begins anew with it.
        """
        if delta.sequence is None or (delta.previous is None and self.keeper.book.rule == "chained"):
            return self.doubt("expected of each change what it follows on, got one that does not say it", now)
        if not self.keeper.book.whole:
            return self._keep(_Kept(delta, now.mono, time, extra), now)
        items = self.keeper.delta(delta, now, time=time, extra=extra)
        if not self.keeper.book.whole:
            self._had_book(now)
            self._seed_anew(now)
            items += self._keep(_Kept(delta, now.mono, time, extra), now)
        return items

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Makes the streams stale and seeds them anew: a change could not be read, or the book is wrong."""
        was_whole = self.keeper.book.whole
        items = self.keeper.doubt(reason, now)
        if was_whole:
            self._had_book(now)
        self._seed_anew(now)
        return items

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """What the answer to a request brings; that to one which is not awaited any more brings nothing."""
        if request != self._asked:
            return []
        self._asked = None
        if isinstance(answer, NoResponse):
            return self._failed(f"no snapshot came: {answer.reason}", now)
        if answer.retry_after is not None and answer.status != 200:
            self.wait(min(answer.retry_after, LONGEST_RETRY_AFTER), now)
        if answer.status != 200:
            return self._failed(f"no snapshot came: {_in_words(answer)}", now)
        try:
            seed = self._read(answer)
        except (BadMessage, BookError) as problem:
            return self._failed(f"no snapshot came: {problem}", now)
        except DECODE_ERRORS as error:
            return self._failed(f"no snapshot came: {explain(error)}", now)
        self._seed, self._seed_asked_at = seed, self._asked_at
        if self._newest is None or seed.sequence > self._newest.sequence:
            self._newest = _Newest(seed.sequence, now.mono)  # the next answer may be an older one
        fitted = self._fit(now)
        return self._not_yet(seed, now) if fitted is None else fitted

    def wait(self, seconds: float, now: Now) -> None:
        """Makes no request before so many seconds have passed: the venue wants that."""
        self._not_before = max(self._not_before, now.mono + seconds)

    def deadline(self) -> float | None:
        """The monotonic time at which `tick` is due; None while the book is whole."""
        if self._asked is not None:
            return self._asked_at + ANSWERED_WITHIN
        due = self._pacing.due
        return None if due is None else max(due, self._not_before)

    def tick(self, now: Now) -> list[Item]:
        """Asks for a snapshot, if one is due."""
        due = self.deadline()
        if due is None or now.mono < due:
            return []
        if self._asked is not None:
            self._asked = None
            return self._failed(f"no snapshot came: no answer within {ANSWERED_WITHIN:.0f} s", now)
        self._requests += 1
        self.tries += 1
        self._waits_for_quiet = False
        self._asked, self._asked_at = f"seed {self.name} {self._requests}", now.mono
        self._pacing.tried(now.mono)
        self._out.append(Fetch(self._asked, self._request))
        return []

    def stop(self) -> None:
        """Asks for nothing more: we leave, or the connection is gone."""
        self._pacing.due = self._asked = self._quiet_since = None
        self._out.clear()

    def take(self) -> list[Out]:
        """The requests to make; each is returned once."""
        out, self._out = self._out, []
        return out

    # --- changes that are kept

    def _keep(self, kept: _Kept, now: Now) -> list[Item]:
        delta = kept.delta
        self._note_newest(delta, now)
        if self._kept and _before(delta) != _sequence(self._kept[-1].delta):
            if any(one.delta == delta for one in islice(reversed(self._kept), MOST_REPEATED)):
                return []  # the same change, repeated
            if _sequence(delta) < _sequence(self._kept[-1].delta) and not self._follows_late(delta):
                self._late = delta  # without those that follow on it, a book would be older than what has come
                return []
            # What came before it leads nowhere: a change is missing in between.
            self._start_again()
        self._kept.append(kept)
        self._kept_levels += _levels(delta)
        items = self._dropped_oldest(now)
        if self._seed is None or (fitted := self._fit(now)) is None:
            self._ask_again(now)  # it may have been waited for a quiet market
            return items
        return [*items, *fitted]

    def _had_book(self, now: Now) -> None:
        """Notes how new the book is that is in doubt now."""
        sequence = self.keeper.book.sequence
        self._newest = None if sequence is None else _Newest(sequence, now.mono)

    def _note_newest(self, delta: BookDelta, now: Now) -> None:
        newest, sequence = self._newest, _sequence(delta)
        if newest is None or sequence >= newest.sequence or _before(delta) == newest.sequence:
            self._newest = _Newest(sequence, now.mono)  # what follows on the newest is newer, whatever its number

    def _follows_late(self, delta: BookDelta) -> bool:
        """Whether a change follows on one that was taken for late: the venue goes on there, so it is the other way."""
        return self._late is not None and _before(delta) == _sequence(self._late)

    def _dropped_oldest(self, now: Now) -> list[Item]:
        """Drops the oldest changes if there are too many, and says so once."""
        kept, dropped = self._kept, False
        while len(kept) > 1 and (
            self._kept_levels > MOST_KEPT_LEVELS or (len(kept) > KEPT_CHANGES and now.mono - kept[0].mono > KEPT_FOR)
        ):
            self._kept_levels -= _levels(kept.popleft().delta)
            dropped = True
        if not dropped or self._has_dropped:
            return []
        self._has_dropped = True
        return self._say("more changes came than are kept, and no snapshot fitted yet; the oldest are dropped")

    def _start_again(self) -> None:
        """Drops the changes that were kept. The latest answer is held, as it may fit among those that follow."""
        self._kept.clear()
        self._kept_levels = 0
        self._has_dropped = False
        self._late = None

    def _seed_anew(self, now: Now) -> None:
        """Begins anew after the book was in doubt; an answer that is still awaited does not count."""
        self._start_again()
        self._seed = self._asked = None
        self._said = ""
        if self._quiet_since is not None:
            self._quiet_since = now.mono
            self._ask_again(now)

    # --- whether a snapshot fits

    def _fit(self, now: Now) -> list[Item] | None:
        """What the book shows if the latest answer fits among the changes; None if it does not, or not yet."""
        seed = self._seed
        if seed is None or (start := self._place(seed)) is None:
            return None
        then = [kept.delta for kept in self._kept][start:]
        newest = self._kept[-1] if then else None
        try:
            self.keeper.load(seed.bids, seed.asks, seed.sequence, now, then=then)
        except BookError as problem:
            return self._failed(f"the snapshot does not fit the changes: {problem}", now)
        self._start_again()
        self._seed, self.tries, self._said = None, 0, ""
        self._pacing.settled(now.mono)
        self._asked = None
        if newest is None:
            return self.keeper.show(now, time=seed.time)
        return self.keeper.show(now, time=newest.time, extra=newest.extra)

    def _place(self, seed: Seed) -> int | None:
        """The index of the first kept change that the snapshot does not have; None if it does not fit."""
        kept, sequence = self._kept, seed.sequence
        if not kept:
            quiet = self._quiet_since
            return None if quiet is None or self._seed_asked_at < quiet + self._quiet_after else 0
        if self._is_outdated(seed):
            return None
        if self.keeper.book.rule == "chained":
            for index, one in enumerate(kept):
                if one.delta.previous == sequence:
                    return index
            return len(kept) if kept[-1].delta.sequence == sequence else None
        if not _before(kept[0].delta) <= sequence <= _sequence(kept[-1].delta):
            return None
        return sum(1 for one in kept if _sequence(one.delta) <= sequence)

    def _is_outdated(self, seed: Seed) -> bool:
        """Whether the kept changes, with this snapshot before them, would give a book older than what has come."""
        newest = self._newest
        if newest is None or _sequence(self._kept[-1].delta) >= newest.sequence:
            return False
        return self._seed_asked_at < newest.mono + self._quiet_after

    def _not_yet(self, seed: Seed, now: Now) -> list[Item]:
        """Why the snapshot that came does not fit, and when the next one is asked for."""
        if not self._kept:
            # The next one that can count; until then a change may come that follows on this one.
            if self._quiet_since is not None:
                counts_at = self._quiet_since + self._quiet_after
                self._pacing.due = max(counts_at, self._pacing.tried_at + self._pacing.pause)
                self._waits_for_quiet = True
            return self._say(
                f"no change has come yet; a snapshot may be old, and counts after {self._quiet_after:.0f} s without one"
            )
        if seed.sequence > _sequence(self._kept[-1].delta):
            return self._failed("the snapshot is ahead of the changes", now, holds=True)
        if self._is_outdated(seed):
            return self._failed(
                "a newer change has come than those that follow on each other; "
                f"a snapshot counts {self._quiet_after:.0f} s after it",
                now,
                holds=True,
            )
        behind = max(0, _before(self._kept[0].delta) - seed.sequence)
        since = f" by {span(behind)}" if seed.time == seed.sequence and behind else ""
        return self._failed(f"the snapshot is behind the changes{since}", now)

    def _failed(self, reason: str, now: Now, *, holds: bool = False) -> list[Item]:
        if not holds:
            self._seed = None
        self._ask_again(now)
        return self._say(reason)

    def _ask_again(self, now: Now) -> None:
        """Plans the next request, unless one is planned or its answer awaited."""
        if self._asked is not None or self._quiet_since is None:
            return
        if self._waits_for_quiet:
            self._pacing.due, self._waits_for_quiet = None, False
        self._pacing.again(now.mono)

    def _say(self, reason: str) -> list[Item]:
        """The state with its reason and the number of tries, unless the same was said often."""
        times, more = divmod(self.tries, SAID_AT_FIRST)
        if reason == self._said and times and more:
            return []
        self._said = reason
        count = "1 try" if self.tries == 1 else f"{self.tries} tries"
        return self.keeper.states("syncing", f"{reason} ({count} so far)")


class SeededBooks:
    """The seeded books of one connection, by name, which is the symbol unless they were given another.

    A session hands `fetched`, `deadline`, `tick` and `take` on to them, and `leave` and `closed` as `stop`. A change of
    a book that is `live` before and after it leaves nothing to send and no earlier deadline.
    """

    def __init__(self, books: Iterable[SeededBook]) -> None:
        self._books = {book.name: book for book in books}

    def __getitem__(self, name: str) -> SeededBook:
        return self._books[name]

    def __contains__(self, name: str) -> bool:
        return name in self._books

    def __iter__(self) -> Iterator[SeededBook]:
        return iter(self._books.values())

    def begin(self, now: Now) -> list[Item]:
        """To be called once all of them have been subscribed to."""
        return self._said_together([item for book in self for item in book.begin(now)])

    def doubt(self, reason: str, now: Now) -> list[Item]:
        """Doubts all of them: a message could not be read, and may have been of any symbol."""
        return self._said_together([item for book in self for item in book.doubt(reason, now)])

    def fetched(self, request: str, answer: HttpResponse | NoResponse, now: Now) -> list[Item]:
        """What the answer brings to the book that asked. Where the venue wants fewer requests, all books wait."""
        items = [item for book in self for item in book.fetched(request, answer, now)]
        if not isinstance(answer, NoResponse) and answer.status == _TOO_MANY_REQUESTS and answer.retry_after:
            for book in self:
                book.wait(min(answer.retry_after, LONGEST_RETRY_AFTER), now)
        return items

    def deadline(self) -> float | None:
        """The earliest deadline of all books; None without any."""
        return min((due for book in self if (due := book.deadline()) is not None), default=None)

    def tick(self, now: Now) -> list[Item]:
        """Does what is due."""
        return [item for book in self for item in book.tick(now)]

    def stop(self) -> None:
        """Asks for nothing more: we leave, or the connection is gone."""
        for book in self:
            book.stop()

    def take(self) -> list[Out]:
        """The requests to make; each is returned once."""
        return [out for book in self for out in book.take()]

    def _said_together(self, items: list[Item]) -> list[Item]:
        return said_together(items, [book.keeper for book in self])


def _before(delta: BookDelta) -> int:
    """The sequence that a kept change follows on."""
    return _sequence(delta) - 1 if delta.previous is None else delta.previous


def _sequence(delta: BookDelta) -> int:
    assert delta.sequence is not None, "no other change is kept"
    return delta.sequence


def _levels(delta: BookDelta) -> int:
    return len(delta.bids) + len(delta.asks) + 1


def _in_words(answer: HttpResponse) -> str:
    body = excerpt(" ".join(answer.body[:400].decode(errors="replace").split()), 120)
    return f"HTTP {answer.status}" + (f": {body}" if body else "")
