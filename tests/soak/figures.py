"""What a stream's reader has at the end, against what is true: each function answers with what differs, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.soak.kept import Kept, Record

Truth = Mapping[str, Any]
Judge = Callable[[Kept, Truth, str], list[str]]


def book(kept: Kept, truth: Truth, market: str) -> list[str]:
    """All levels."""
    record = one_of(kept, "book")
    if record is None:
        return ["no book"]
    found = []
    for side in ("bids", "asks"):
        levels = [(level["price"], level["size"]) for level in record[side]]
        true = [tuple(map(Decimal, level)) for level in truth["books"][market][side]]
        shown = min(len(levels), len(true))
        if not levels or levels[:shown] != true[:shown]:
            found.append(f"{side}: {differing(levels, true)}")
    return found


def quotes(kept: Kept, truth: Truth, market: str) -> list[str]:
    """The best price and size of both sides."""
    record = one_of(kept, "quote")
    if record is None:
        return ["no quote"]
    (bid, ask) = (truth["books"][market][side][0] for side in ("bids", "asks"))
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    true = [value for name, value in zip(names, [*bid, *ask], strict=True) if name in record]  # b2trader has no sizes
    return compared("quote", [record[name] for name in names if name in record], true)


def trades(kept: Kept, truth: Truth, market: str) -> list[str]:
    """The last trade."""
    record = one_of(kept, "trade")
    if record is None:
        return ["no trade"]
    return compared("last trade", [record["price"], record["size"]], truth["last"][market])


def candles(kept: Kept, truth: Truth, market: str) -> list[str]:
    """The last close is the price of the last trade."""
    record = one_of(kept, "candle")
    return ["no candle"] if record is None else compared("close", [record["close"]], truth["last"][market][:1])


def ticker(kept: Kept, truth: Truth, market: str) -> list[str]:
    """The last price."""
    record = one_of(kept, "ticker")
    return ["no ticker"] if record is None else compared("last", [record["last"]], truth["last"][market][:1])


def orders(kept: Kept, truth: Truth, _: str) -> list[str]:
    """All open orders and no other."""
    true = {one["ulid"]: [one["price"], one["size"], one["filled"]] for one in truth["orders"]}
    return rows(kept, true, ("price", "size", "filled"))


def orders_since(kept: Kept, truth: Truth, market: str) -> list[str]:
    """Of a stream without a snapshot: what it takes for open is open, and as it says."""
    true = {str(one["id"]): one for one in truth["orders"] if one["market"] == market}
    found = []
    for name, row in kept.rows.items():
        if row["status"] not in ("new", "partially_filled", "pending"):
            continue
        if name not in true:
            found.append(f"order {name} is {row['status']}, and is not open at the venue")
        else:
            names = ("price", "size", "filled")
            found += compared(f"order {name}", [row[n] for n in names], [true[name][n] for n in names])
    return found


def positions(kept: Kept, truth: Truth, _: str) -> list[str]:
    """All positions, with their figures."""
    names = ("entry_price", "market_price", "used_margin", "unrealized_pnl")
    true = {market: [one["holding"], *(one[n] for n in names)] for market, one in truth["positions"].items()}
    found = {}
    for row in kept.rows.values():
        market = next(m for m in truth["books"] if m.replace("_", "").lower() in plain(row["symbol"]))
        found[market] = [signed(row), *(row[n] for n in names)]
    return [*missing(found, true), *(w for m in found.keys() & true for w in compared(m, found[m], true[m]))]


def holding(kept: Kept, truth: Truth, market: str) -> list[str]:
    """The position of one market, of a stream without a snapshot."""
    true = Decimal((truth["positions"].get(market) or {"holding": 0})["holding"])
    return [w for row in kept.rows.values() for w in compared("holding", [signed(row)], [true])]


def assets(kept: Kept, truth: Truth, _: str) -> list[str]:
    """Positions that are what the account has of each asset."""
    true = {asset: [total] for asset, (total, *_) in truth["balances"].items()}
    return rows(kept, true, ("size",))


def balance(kept: Kept, truth: Truth, _: str) -> list[str]:
    """Total, available and locked of each asset."""
    return rows(kept, truth["balances"], ("total", "available", "locked"), str.upper)


def margin(kept: Kept, truth: Truth, _: str) -> list[str]:
    """All figures of the margin."""
    record = one_of(kept, "margin")
    if record is None:
        return ["no margin"]
    return compared("margin", [record[name] for name in truth["margin"]], truth["margin"].values())


def closed(kept: Kept, truth: Truth, _: str) -> list[str]:
    """All closed positions that the account remembers, with their sizes."""
    shown = {" ".join(name): row["size"] for name, row in kept.rows.items()}  # type: ignore[arg-type]
    true = {name: Decimal(size) for name, size in truth["closed"].items()}
    found = [f"not there: {name}" for name in sorted(true.keys() - shown.keys())[:3]]
    return found + [w for name in true.keys() & shown for w in compared(name, [shown[name]], [true[name]])][:3]


def fills(kept: Kept, truth: Truth, market: str) -> list[str]:
    """A fill's id is one that the account has given."""
    record = one_of(kept, "fill")
    if record is None:
        return []  # none since the last interruption
    return [] if int(record["fill_id"]) <= truth["fills"] else [f"fill {record['fill_id']} of {truth['fills']}"]


def heard(kept: Kept, truth: Truth, _: str) -> list[str]:
    """Something came: a stream of messages has no state that could be compared."""
    return [] if kept.records else ["no record at all"]


def top_told(kept: Kept, truth: Truth, market: str) -> list[str]:
    """What the bot published last is the top of the book."""
    record = kept.last.get("message top")
    if record is None:
        return ["no message of the bot"]
    (bid, ask) = (truth["books"][market][side][0] for side in ("bids", "asks"))
    told = record["data"]
    # The script gets floats, as ProfitView's scripts do.
    return compared("top", [told["bid"], told["ask"]], [repr(float(bid[0])), repr(float(ask[0]))])


# --- comparing


def one_of(kept: Kept, kind: str) -> Record | None:
    """The last record of that type."""
    return next((record for name, record in kept.last.items() if name.split()[0] == kind), None)


def rows(
    kept: Kept, truth: Mapping[str, Iterable[Any]], names: tuple[str, ...], spelling: Callable[[str], str] = str
) -> list[str]:
    """All rows and no other, with the figures of those names. `spelling`: the world's, of a row's key."""
    shown = {spelling(str(name)): row for name, row in kept.rows.items()}
    found = [*missing(shown, truth)]
    for name in sorted(shown.keys() & truth.keys()):
        found += compared(name, [shown[name].get(one) for one in names], truth[name])
    return found


def missing(found: Mapping[str, Any], true: Mapping[str, Any]) -> list[str]:
    """What is in one and not in the other."""
    return [f"not there: {name}" for name in sorted(true.keys() - found.keys())] + [
        f"not at the venue: {name}" for name in sorted(found.keys() - true.keys())
    ]


def compared(what: str, shown: Iterable[Any], true: Iterable[Any]) -> list[str]:
    """Nothing where each figure is equal; an absent one is absent on both sides."""
    ours, theirs = [[None if v is None else Decimal(v) for v in values] for values in (shown, true)]
    if ours == theirs:
        return []
    return [f"{what}: shown {' '.join(map(str, ours))}, true {' '.join(map(str, theirs))}"]


def differing(levels: list[Any], true: list[Any]) -> str:
    """The first level that is not right."""
    for place, (ours, theirs) in enumerate(zip(levels, true, strict=False), start=1):
        if ours != theirs:
            return f"level {place}: shown {ours[0]} {ours[1]}, true {theirs[0]} {theirs[1]}"
    return f"{len(levels)} levels, true {len(true)}"


def signed(row: Record) -> Decimal:
    """The size of a position, below 0 for short."""
    size = Decimal(row.get("size") or 0)
    return -size if row.get("side") == "short" else size


def plain(symbol: str) -> str:
    """A symbol without what venues put between its parts."""
    return "".join(letter for letter in symbol.lower() if letter.isalnum())
