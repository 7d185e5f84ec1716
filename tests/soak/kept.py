"""What a script keeps of the lines that `mon` prints, by the README alone; and the world's own past, to compare with.

`Kept` is a reader: rows by their keys, the last of each symbol, whether the stream is live. `Past` knows what was true
when, so that a line can be asked whether it was true lately.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any

Record = dict[str, Any]
Claimed = tuple[Decimal | None, ...]

NOT_LIVE = ("connecting", "syncing", "stale", "reconnecting", "closed")
KEYS = {"order": "order_id", "position": "position_id", "balance": "asset"}
REMEMBERED = 900.0  # seconds of the world's past: so old may a trade be that a venue tells again
IDS_REMEMBERED = 20_000
STANDSTILL = 1.0  # seconds between two ticks of the world, which come four a second, from which the machine stood still
STILL_REMEMBERED = 100
STATES_REMEMBERED = 120.0


class Kept:
    """The state of one stream, as a reader of its lines has it."""

    def __init__(self) -> None:
        self.rows: dict[Hashable, Record] = {}
        self.last: dict[str, Record] = {}  # by type and, where there is one, symbol or topic
        self.live = True  # a healthy stream is data only
        self.state = "live"
        self.records = 0
        self.interruptions = 0
        self.at = 0.0  # when the last record came, by the monotonic clock
        self.twice: list[str] = []  # what has an id and came again
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._gathered: dict[Hashable, Record] | None = None

    def take(self, record: Record, at: float) -> None:
        """Take one line."""
        kind = record["type"]
        if kind == "status":
            self._status(record)
            return
        if kind == "snapshot_end":
            self.rows = self._gathered or {}
            self._gathered = None
            return
        self.records += 1
        self.at = at
        self.last[" ".join(filter(None, (kind, record.get("symbol"), record.get("topic"))))] = record
        self._note_id(record)
        change = record.get("change")
        if change is None:
            return
        if change == "snapshot" and self._gathered is None:
            self._gathered = {}
        rows = self.rows if self._gathered is None else self._gathered
        if change == "remove":
            rows.pop(key_of(record), None)
        else:
            rows[key_of(record)] = record

    def _note_id(self, record: Record) -> None:
        """An event with an id comes once, whatever happens to the line."""
        ours = record.get("trade_id") or record.get("fill_id")
        if ours is None:
            return
        if ours in self._ids:
            self.twice.append(ours)
        self._ids[ours] = None
        if len(self._ids) > IDS_REMEMBERED:
            self._ids.popitem(last=False)

    def _status(self, status: Record) -> None:
        state = status["state"]
        if self.live and state in NOT_LIVE:
            self.interruptions += 1
        if state == "reconnecting":
            self._gathered = None
            self.rows = {}  # of a stream of changes alone nothing is known any more; any other one begins anew
        self.state = state
        self.live = state not in NOT_LIVE


def key_of(record: Record) -> Hashable:
    """What tells a row from the others of its stream."""
    if record["type"] == "closed_position":
        return record["position_id"], record["order_id"]
    if record["type"] == "position":
        return record.get("position_id") or record.get("symbol")
    return record.get(KEYS.get(record["type"], "symbol"))


# --- what was true when


class Past:
    """What was true in the world, and until when."""

    def __init__(self) -> None:
        self.told_until = 0.0  # the monotonic time up to which all is known
        self._ticked = 0.0
        self._still: deque[tuple[float, float]] = deque(maxlen=STILL_REMEMBERED)
        self._of: dict[tuple[str, ...], deque[tuple[float, tuple[Decimal, ...]]]] = defaultdict(deque)

    def take(self, told: Mapping[str, Any]) -> None:
        """A line of the world's."""
        if "tick" in told:
            if self._ticked and told["tick"] > self._ticked + STANDSTILL:
                self._still.append((self._ticked, told["tick"]))
            self._ticked = self.told_until = told["tick"]
        elif "is" in told:
            values = self._of[tuple(told["is"])]
            values.append((told["at"], tuple(map(Decimal, told["value"]))))
            self.told_until = max(self.told_until, told["at"])
            remembered = REMEMBERED if told["is"][0] == "trade" else STATES_REMEMBERED
            while len(values) > 1 and values[1][0] < told["at"] - remembered:
                values.popleft()

    def stood_still(self, since: float, until: float) -> float:
        """For how many seconds between the two the world had no turn, though it wants four a second.

        Then nobody here had one: whatever was printed before it came out behind it.
        """
        return sum(min(end, until) - max(begin, since) for begin, end in self._still if end > since and begin < until)

    def tidy(self, now: float) -> None:
        """Forget orders and trades that are long over."""
        for key in [key for key, values in self._of.items() if key[0] == "order" and values[-1][0] < now - 3600]:
            del self._of[key]

    def was(self, key: tuple[str, ...], value: Claimed, since: float, until: float) -> bool:
        """Whether that was so at some instant between the two."""
        values = self._of.get(key, deque())
        for place in range(len(values) - 1, -1, -1):
            begins, what = values[place]
            ends = values[place + 1][0] if place + 1 < len(values) else until
            if ends < since:
                return False
            if begins <= until and agrees(value, what):
                return True
        return False

    def values(self, key: tuple[str, ...], since: float, until: float) -> list[tuple[Decimal, ...]]:
        """All that it was between the two."""
        values = self._of.get(key, deque())
        ends = [*[begins for begins, _ in values][1:], until]
        return [what for (begins, what), end in zip(values, ends, strict=False) if begins <= until and end >= since]

    def last_so(self, key: tuple[str, ...], value: Claimed) -> float | None:
        """When it was so for the last time; None: never, as far as is remembered."""
        values = self._of.get(key, deque())
        ends = [*[begins for begins, _ in values][1:], self.told_until]
        so = [end for (_, what), end in zip(values, ends, strict=True) if agrees(value, what)]
        return so[-1] if so else None

    def happened(self, key: tuple[str, ...], value: Claimed) -> bool:
        """Whether there was such an event."""
        return any(agrees(value, what) for _, what in reversed(self._of.get(key, deque())))


def claims(record: Record, markets: Mapping[str, str]) -> list[tuple[str, tuple[str, ...], Claimed]]:
    """What a line says of the world: whether it is a state or an event, of what, and which figures.

    `markets` are the world's names of the venue's symbols.
    """
    market = markets.get(record.get("symbol", ""), "")
    match record["type"]:
        case "book" if record["bids"] and record["asks"]:
            bid, ask = record["bids"][0], record["asks"][0]
            return [("state", ("top", market), figures(bid["price"], bid["size"], ask["price"], ask["size"]))]
        case "quote":
            names = ("bid_price", "bid_size", "ask_price", "ask_size")
            return [("state", ("top", market), figures(*(record.get(name) for name in names)))]
        case "balance":
            return [("state", ("balance", record["asset"].upper()), figures(record["total"], record["available"]))]
        case "margin":
            return [("state", ("margin",), figures(*(record[name] for name in ("balance", "equity", "used", "free"))))]
        case "position" if market and record["venue"] != "jayx" and record.get("size"):
            signed = -record["size"] if record.get("side") == "short" else record["size"]
            return [("state", ("position", market), figures(signed))]
        case "order" if "filled" in record:
            return [("state", ("order", record["order_id"]), figures(record["filled"]))]
        case "trade":
            said = figures(record["price"], record["size"])
            # Venues send what they have missed to tell, with its time: the world must have had it at that time.
            return [("event", ("trade", market), (*said, *figures(record.get("time"))))]
    return []


def figures(*values: Any) -> Claimed:
    """Numbers as they are compared; None for one that the venue does not send."""
    return tuple(None if value is None else Decimal(value) for value in values)


def agrees(claimed: Claimed, true: tuple[Decimal, ...]) -> bool:
    """Whether all that is claimed is so."""
    return all(ours is None or ours == theirs for ours, theirs in zip(claimed, true, strict=True))
