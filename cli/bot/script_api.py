"""What a script imports from `profitview`: `Link`, `http`, `cron`, `logger`; and what it emits, checked. Pure.

Whatever is wrong with a signal or a message is raised as `ValueError` or `TypeError`, so that the script's own line is
in the traceback.
"""

from __future__ import annotations

import math
import numbers
import re
import types
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from cli.bot.market_data import LEVELS
from cli.bot.timing.cron import Cron
from venues.errors import BadMessage
from venues.toolkit.candles import start_of
from venues.toolkit.numbers import number, plain_text, shown, text_number
from venues.toolkit.written import Writer, WrittenDecimal

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from cli.bot.knowledge import Knowledge


MODULE = "profitview"  # the name that scripts import from
T = TypeVar("T")
_NANOSECONDS = 1_000_000_000
# What trading bots do: another product.
_OUT_OF_SCOPE = re.compile(r"(create|cancel|amend)_(\w+_)?orders?|fetch_\w+|call_endpoint")
KINDS = ("size", "mid", "bid", "ask", "quote")
LONGEST_MESSAGE = 16 * 2**20  # bytes: what a reader of the feed takes at most
DEEPEST = 100
_ONE = Decimal(1)
# Of floats, also of those with 32 bits: so much beyond 1 is 1, and so near to 0 is no position.
_NOISE = Decimal("1e-6")
_SMALLEST = 1e-40  # of what can be written; a float that is smaller is 0
_WRITER = Writer()


# --- what a script imports -----------------------------------------------------------------------------------------


class ScriptHost(Protocol):
    """What `Link` needs of whoever runs the script."""

    def epoch_ns(self) -> int:
        """The time, in nanoseconds since the epoch: the recorded one in a replay."""
        ...

    def signal(self, src: object, sym: object, figures: dict[str, object]) -> None:
        """Emit a signal. Raises ValueError for what is not a signal."""
        ...

    def publish(self, topic: object, data: object) -> None:
        """Emit a message. Raises TypeError or ValueError for what is not a message."""
        ...

    def stop(self, reason: object) -> None:
        """Call the script no more."""
        ...

    def out_of_scope(self, name: str) -> None:
        """Say, once for each name, that the script asks for what `mon` does not do."""
        ...

    @property
    def knowledge(self) -> Knowledge:
        """What the script can look up."""
        ...


class LookedUp(Generic[T]):
    """As a property that can be hidden: a script may have an attribute of its own under such a name."""

    def __init__(self, get: Callable[[Any], T]) -> None:
        self._get = get
        self.__doc__ = get.__doc__

    def __get__(self, instance: object, owner: type) -> Any:
        return self if instance is None else self._get(instance)


class Link:
    """The base of a script's class `Signals`."""

    mon_host: ScriptHost

    @property
    def now(self) -> datetime:
        """The current time, UTC (aware)."""
        return _moment(self.mon_host.epoch_ns())

    @property
    def unix_now(self) -> int:
        """The current time in whole seconds since the epoch."""
        return self.mon_host.epoch_ns() // _NANOSECONDS

    @property
    def epoch_now(self) -> int:
        """The current time in milliseconds since the epoch."""
        return self.mon_host.epoch_ns() // 1_000_000

    @property
    def second(self) -> float:
        """The second within the current minute, with its fraction."""
        return self.mon_host.epoch_ns() % (60 * _NANOSECONDS) / _NANOSECONDS

    @property
    def iso_now(self) -> str:
        """The current time as ISO 8601, UTC, e.g. 2023-03-09T12:22:52.949Z."""
        return _moment(self.mon_host.epoch_ns()).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @LookedUp
    def venues(self) -> dict[str, dict[str, str]]:
        """The venues by name, each with `id`, `kind`, `name` and `src`."""
        return self.mon_host.knowledge.venues()

    @LookedUp
    def market_streams(self) -> dict[str, list[str]]:
        """The symbols of each venue."""
        return self.mon_host.knowledge.market_streams()

    @LookedUp
    def quotes(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The latest quotes, `quotes[src][sym]`, as `quote_update` gets them; also of a market that is down."""
        return self.mon_host.knowledge.quotes()

    @LookedUp
    def trades(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The latest trades, `trades[src][sym]`, as `trade_update` gets them."""
        return self.mon_host.knowledge.trades()

    @LookedUp
    def instruments(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What the venues' lists say of each market, `instruments[src][sym]`; `tick_size` and `lot_size` among it."""
        return self.mon_host.knowledge.instruments()

    @LookedUp
    def health(self) -> dict[str, list[dict[str, Any]]]:
        """`{'public': [{'src', 'live', 'markets': {sym: live}}, …], 'private': []}`."""
        return self.mon_host.knowledge.health()

    def last_quote(self, src: str, sym: str, key: str | None = None) -> Any:
        """The latest quote of a market, or what it has under a key; None before the first one."""
        return self.mon_host.knowledge.last_quote(src, sym, key)

    def last_trade(self, src: str, sym: str, key: str | None = None) -> Any:
        """The latest trade of a market, or what it has under a key; None before the first one."""
        return self.mon_host.knowledge.last_trade(src, sym, key)

    def get_bars(self, src: str, sym: str, level: str) -> Any:
        """The last 360 candles of a level, as `candle_update_…` gets them; all NaN before the first trade.

        Raises:
            ValueError: no such level, or no candles of this market.
        """
        return self.mon_host.knowledge.bars(src, sym, level, self.epoch_now)

    def candle_bin(self, ms: int, level: str) -> int:
        """The beginning of the candle that a time (epoch ms) belongs to.

        Raises:
            ValueError: no such level.
        """
        if level not in LEVELS:
            raise ValueError(f"expected a level, one of {' '.join(LEVELS)}, got {level!r}")
        return start_of(int(ms), LEVELS[level])

    def stop_trading(self, msg: Any = None) -> None:
        """End this script: it is called no more, and what it wanted of a hub and was not sent yet is dropped."""
        self.mon_host.stop(msg)

    def signal(self, src: str, sym: str, **intents: Any) -> None:
        """Emit a signal: one or several of `size` (a position, -1 to 1), `mid`, `bid`, `ask` (a neutral, long or short
        grid) and `quote` (a fair value, or `[bid, ask]`).

        Raises:
            ValueError: anything else; nothing is emitted.
        """
        self.mon_host.signal(src, sym, intents)

    def publish(self, topic: str, data: Any = None) -> None:
        """Emit a message on a topic: any data that JSON can carry; NaN becomes null.

        Raises:
            TypeError, ValueError: the data has no place in JSON; nothing is emitted.
        """
        self.mon_host.publish(topic, data)

    def __getattr__(self, name: str) -> Any:
        """Of what trading bots have, something that says once that it is not here; of all else, that there is none."""
        if _OUT_OF_SCOPE.fullmatch(name):
            self.mon_host.out_of_scope(name)  # now: a script that only looks whether it is there must know too
            return lambda *_, **__: None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)


class Http:
    """`@http.route` marks a method `get_x` or `post_x` as a webhook."""

    @staticmethod
    def route(method: T) -> T:
        """Mark a method as the handler of the webhook of its name."""
        if not callable(method):
            raise TypeError(f"expected @http.route above a method, got @http.route({method!r})")
        method.mon_route = True  # type: ignore[attr-defined]
        return method


def module_for(host: ScriptHost, logger: logging.Logger, cron: Cron | None = None) -> tuple[types.ModuleType, type]:
    """The module that a script imports from, and its `Link`."""
    module = types.ModuleType(MODULE, "The helpers of mon's bot host.")
    link: Callable[..., Any] = type("Link", (Link,), {"mon_host": host, "__module__": MODULE, "__doc__": Link.__doc__})
    names = {"Link": link, "http": Http(), "cron": cron or Cron(), "logger": logger}
    module.__dict__.update(names, __all__=list(names))
    assert isinstance(link, type)
    return module, link


def _moment(epoch_ns: int) -> datetime:
    seconds, rest = divmod(epoch_ns, _NANOSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


# --- a signal's figures --------------------------------------------------------------------------------------------


def signal_figures(src: object, sym: object, given: Mapping[str, object]) -> dict[str, Any]:
    """The figures of a signal by name, as `Decimal`; `quote` may be `[bid, ask]`.

    Raises:
        ValueError: none of size, mid, bid, ask and quote, something else, or a figure out of its range.
    """
    for name, value in (("src", src), ("sym", sym)):
        if not isinstance(value, str) or not value or not _is_unicode(value):
            raise ValueError(f"expected a text as {name}, got {_what(value)}")
    unknown = [kind for kind in given if kind not in KINDS]
    said = [kind for kind in KINDS if given.get(kind) is not None]
    if unknown or not said:
        raise ValueError(f"expected size, mid, bid, ask or quote, got {' and '.join(map(shown, unknown)) or 'none'}")
    return {kind: _intent(kind, given[kind]) for kind in said}


def _intent(kind: str, value: object) -> Any:
    if kind == "quote" and not isinstance(value, numbers.Number) and _items(value) is not None:
        return _bid_and_ask(value)
    figure = _figure(value, kind)
    if kind == "size" and abs(figure) > _ONE:
        if abs(figure) > _ONE + _NOISE:
            raise ValueError(f"expected a size from -1 to 1, got {shown(value)}")
        figure = _ONE.copy_sign(figure)  # as 0.1 * 3 / 0.3 is
    if kind == "size" and 0 < abs(figure) < _NOISE:
        figure = Decimal(0)  # as 0.3 - 0.1 * 3 is, which would be short
    return figure if figure else abs(figure)  # -0.0, of -1 * 0.0 say, is nothing


def _is_unicode(text: str) -> bool:
    """Whether a text can be written: halves of characters (surrogates) cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _bid_and_ask(value: object) -> list[Decimal]:
    items = _items(value) or []
    if len(items) != 2:
        raise ValueError(f"expected a number or [bid, ask] as quote, got {len(items)} values: {shown(value)}")
    bid, ask = _figure(items[0], "the bid of quote"), _figure(items[1], "the ask of quote")
    if bid > ask:
        raise ValueError(f"expected a bid of at most the ask as quote, got {shown(value)}")
    return [bid, ask]


def _items(value: object) -> list[object] | None:
    if isinstance(value, list | tuple):
        return list(value)
    listed = value.tolist() if callable(getattr(value, "tolist", None)) else None  # type: ignore[attr-defined]
    return listed if isinstance(listed, list) else None


def _figure(value: object, name: str) -> Decimal:
    """A number of Python or numpy, or a text with a number, since forms and queries bring texts."""
    if callable(getattr(value, "item", None)) and getattr(value, "shape", None) == ():
        value = value.item()  # type: ignore[attr-defined]
    if isinstance(value, str):
        return _written(value, name)
    if isinstance(value, numbers.Real) and not isinstance(value, int | float):  # such as a longdouble or a fraction
        value = float(value)
    if not isinstance(value, int | float | Decimal):  # True and False are 1 and 0
        raise ValueError(f"expected a number as {name}, got {_what(value)}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number as {name}, got {value}")
        value = Decimal(repr(float(value))) if not 0 < abs(value) < _SMALLEST else 0
    try:
        return number(int(value) if isinstance(value, int) else Decimal(value), name)
    except BadMessage as error:
        raise ValueError(str(error).replace(f" at `{name}`", f" as {name}")) from None


def _written(text: str, name: str) -> Decimal:
    try:
        return text_number(text, name)
    except BadMessage:
        raise ValueError(f"expected a number as {name}, got {_what(text)}") from None


def _what(value: object) -> str:
    return "None" if value is None else f"{shown(value)} ({type(value).__name__})"


# --- messages ------------------------------------------------------------------------------------------------------


def message(topic: object, data: object, strategy: str | None = None) -> tuple[Any, bytes]:
    """The data as plain JSON values, and the frame `{"type": topic, "data": …}`, with its `strategy` if it has one.

    Numbers and arrays of numpy, tuples, `Decimal`, dates and times become JSON; NaN and infinity become null.

    Raises:
        TypeError: something in it has no place in JSON; the text names its type and where it is.
        ValueError: it is too deep, too large, or holds itself.
    """
    if not isinstance(topic, str):
        raise TypeError(f"expected a text as topic, got {_what(topic)}")
    if not topic:
        raise ValueError("expected a text as topic, got an empty one")
    plain = _plain(data, "data", 0)
    try:
        whose = {} if strategy is None else {"strategy": strategy}
        frame = _WRITER.encode({"type": text_of(topic), "data": plain, **whose})
    except (OverflowError, UnicodeEncodeError, ValueError) as error:
        raise ValueError(f"expected data that JSON can carry: {error}") from None
    if len(frame) > LONGEST_MESSAGE:
        raise ValueError(f"expected at most 16 MiB as data, got {len(frame) / 2**20:.1f} MiB")
    return plain, frame


def _plain(value: Any, where: str, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > DEEPEST:
        raise ValueError(f"expected data at most {DEEPEST} levels deep, got more (does it hold itself?)")
    if isinstance(value, dict):
        return {_key(key, where): _plain(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    if isinstance(value, Decimal):
        return _decimal(value, where)
    if isinstance(value, datetime | date | time):
        return value.isoformat() if value == value else None  # NaT of pandas is no time
    if type(value).__name__ in ("datetime64", "timedelta64"):
        return str(value) if value == value else None
    if callable(getattr(value, "tolist", None)):
        listed = value.tolist()
        if isinstance(listed, list | bool | int | float | str) or listed is None:
            return _plain(listed, where, depth + 1)
    raise TypeError(f"expected what JSON can carry at {shown_path(where)}, got {type(value).__name__}")


def _decimal(value: Decimal, where: str) -> Decimal | None:
    if not value.is_finite():
        return None
    try:
        return WrittenDecimal(plain_text(number(Decimal(value), where)))
    except BadMessage as error:
        raise ValueError(str(error)) from None


def _key(key: object, where: str) -> str:
    """A key as a text, from whatever Python's own `json` takes as a key."""
    if isinstance(key, str):
        return text_of(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if callable(getattr(key, "item", None)) and getattr(key, "shape", None) == ():
        key = key.item()  # type: ignore[attr-defined]
    if isinstance(key, int | float | Decimal):
        return str(key)
    raise TypeError(f"expected texts as the keys of {shown_path(where)}, got {type(key).__name__}")


def text_of(value: object) -> str:
    """A plain `str`. Of a subclass, such as numpy's or a member of an enumeration, its value."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def shown_path(where: str) -> str:
    """A path, cut to what fits into a message."""
    return where if len(where) <= 80 else where[:79] + "…"
