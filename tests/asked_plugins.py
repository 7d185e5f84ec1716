"""Calls whose answers are kept (`tests.answers`): what is wrong with a venue of another package, and with its items."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec

from tests.made_plugins import ENTRY
from tests.samples import LIVE
from venues import plugin_check, records
from venues.toolkit import guard
from venues.venue import BadFrame, ClockOffset, Confirmed, Lost, Notice, Offer, Receipt, Refused, StreamState

ODD: tuple[Any, ...] = (
    *(
        None,
        "",
        "x",
        7,
        -1,
        0,
        1.5,
        float("inf"),
        True,
        Decimal("NaN"),
        Decimal(1),
        [],
        ["x"],
        [Decimal(1)],
        (),
        {},
        b"x",
    ),
)
TEXTS: dict[str, Any] = {"a": "b"}
WRONG: dict[str, tuple[Any, ...]] = {
    "contract": (None, 0, 2, "1", True),
    "name": ("", "other", 5),
    "environments": (
        *({}, [], {"production": 5}, {"Production": ""}, {"sim": ""}, {"replay": ""}, {"production": "ws://a.example"}),
        *({"production": "ws://127.0.0.1:1"}, {"production": "https://a.example"}, {"production": "wss://a.example:0"}),
        *(
            {"production": "wss://a.example?x"},
            {"production": "wss://u@a.example"},
            {"production": "wss://[::1"},
            {"p q": ""},
        ),
        *({"production": "wss://a.example/x y"}, {"production": ""}, {5: ""}, {"a\n": ""}),
    ),
    "rest": (
        *({"production": "https://a.example"}, {"production": "https://a.example", "beta": ""}, {"x": ""}, 5),
        *(
            {"production": "http://a.example", "beta": ""},
            {"production": "http://127.0.0.1", "beta": "wss://a.example"},
        ),
    ),
    "secrets": (
        *(5, {"key": 5}, {"Key": "x"}, {"key_file": "x"}, {"key_command": "x"}, {"url": "x"}, {"rest_url": "x"}),
        *({"region": "x"}, {"beta": "x"}, {"beta_key": "x"}, {"production_key": "x"}, {"a\nb": "x"}),
    ),
    "values": (5, {"region": 5}, {"key": "x"}, {"beta_x": "x"}, {"url": "x"}),
    "required": (["region"], ["key"], "region", [5], 5),
    "example": ("", 5, "a\nb", "BTCUSD", "A-B"),
    "simulator": ("", "x", "a:B", "a.b:C", 5, "a:", ":B", "a:B:C"),
    "requests_per_second": (0, -1, 1, 1e9, 10**9, True, "1", None, float("nan")),
    "commands": (
        None,
        5,
        SimpleNamespace(kinds={}, command=print),
        SimpleNamespace(kinds={}, command=print, shown=print),
    ),
    "template": (
        *(
            "",
            5,
            "x",
            "[venues.acme]\nurl = 'x'",
            "[venues.other]\n",
            "[a]\n",
            "[venues.acme]\nkey = 'x'",
            "venues = 5\n",
        ),
        *("[venues.acme]\nnothing = 1", "[venues.acme.beta]\nkey = 'x'", "[venues.acme.beta]\nnothing = 1"),
        *(
            "[venues.acme.beta]\nbeta = 1",
            "[venues.acme]\nrest_url = 'x'",
            "[venues.acme]\nregion = 'x'\nkey_file = 'x'",
        ),
    ),
}
OFFERS: dict[str, tuple[Any, ...]] = {
    "source": ("", 5, "a\nb"),
    "symbols": ("one", "two", 5, "any", "none", "many"),
    "partial": (1, None, True),
    "public": (1, None, False),
    "unasked": (0, True),
    "complete": ("", True),
    "options": (["interval"], ["special"], ["nothing"], "special", [5], 5),
    "made_from": ("trades", "book", 5),
    "once_within": (0, -1, 1, 86_400, 86_401, True, "1", float("nan")),
}
OPTIONS: dict[str, tuple[Any, ...]] = {
    "name": ("", "x", "xy", "--xy", "Special", "depth", "special", 5, "a_b", "a-b"),
    "help": ("", " ", 5, "a\nb", "Fine."),
    "takes": ("", 5, "a\nb", "HOW"),
}
TAKEN = ("depth", "interval")


def plug_ins_asked() -> Iterator[Any]:
    """Entries, offers, options and simulators with one thing that is wrong."""
    yield _entry, (), {}, "an entry as it should be"
    for name, values in WRONG.items():
        for value in values:
            yield _entry, (name, value), {}, f"an entry with {name} = {_told(value)}"
    for stream in ("book", "candles"):
        for name, values in OFFERS.items():
            for value in values:
                yield _offer, (stream, name, value), {}, f"an offer of {stream} with {name} = {_told(value)}"
    for example in ("", "BTC-USD"):
        for stream, symbols in (
            ("orders", "none"),
            ("feed", "any"),
            ("feed", "one"),
            ("trades", "many"),
            ("trades", "none"),
        ):
            yield _only, (stream, symbols, example), {}, f"an entry with {symbols} of {stream} and example {example!a}"
    for streams in ({}, [], {"weather": None}, {"book": None}, {"book": 5}):
        yield _entry, ("streams", streams), {}, f"an entry with streams = {streams!a}"
    for name, values in OPTIONS.items():
        for value in values:
            yield _option, (name, value), {}, f"an option with {name} = {_told(value)}"
    for options in (5, "x", [5], []):
        yield plugin_check.check_options, (options, TAKEN)
    for name, value in (
        *(
            ("name", "x"),
            ("scheme", "wss"),
            ("scheme", "http"),
            ("symbols", 5),
            ("symbols", {"a": 5}),
            ("credentials", {"x": "y"}),
        ),
        *(
            ("credentials", {"key": "y"}),
            ("values", lambda world: {"x": 1}),
            ("values", lambda world: 5),
            ("sockets", None),
        ),
    ):
        yield (
            _endpoint,
            (name, value),
            {},
            f"a simulator with {name} = {'other values' if callable(value) else value!a}",
        )
    yield plugin_check.check_endpoint, (5, _acme()), {}, "a simulator that is no class"


def items_asked() -> Iterator[Any]:
    """Items of a session with one field that is wrong: by field, what is said of each odd value."""
    samples: dict[type, Any] = {
        type(one): one for sample in LIVE.values() for one in sample if type(one).__module__ == "venues.records"
    }
    samples[records.Book] = records.Book(venue="v", received=0, symbol="A", bids=[], asks=[])
    samples[records.Status] = records.Status(venue="v", received=0, stream="book", state="live")
    samples[records.SnapshotEnd] = records.SnapshotEnd(venue="v", received=0, stream="book", count=0)
    for kind, sample in sorted(samples.items(), key=lambda one: one[0].__name__):
        for name in kind.__struct_fields__ if hasattr(kind, "__struct_fields__") else ():
            yield _problems, (sample, name), {}, f"{kind.__name__}.{name}"
    levels = (
        records.Level(Decimal(1), Decimal("NaN")),
        records.Level(Decimal("Infinity"), Decimal(1)),
        *(records.Level(1, Decimal(1)), records.Level(Decimal(1), 1)),  # type: ignore[arg-type]
        *(records.Level(Decimal(1), Decimal(1), orders=one) for one in (1, "1", None)),  # type: ignore[arg-type]
        *(records.Level(Decimal(1), Decimal(1), total=one) for one in (1, Decimal(1), None)),  # type: ignore[arg-type]
    )
    for level in levels:
        yield (
            guard.problem_of,
            (msgspec.structs.replace(samples[records.Book], bids=[level]),),
            {},
            f"a book with {level!a}",
        )
    for item in (5, None, "x", StreamState, object):
        yield guard.problem_of, (item,)
    for item in (
        *(
            StreamState("book", "live"),
            StreamState(5, "live"),
            StreamState("book", "alive"),
            StreamState("book", "live", 5),
        ),  # type: ignore[arg-type]
        *(
            Confirmed("book"),
            Confirmed(None),
            BadFrame("x"),
            BadFrame(5),
            BadFrame("x", "book"),
            Notice("x"),
            Notice(None),
        ),  # type: ignore[arg-type]
        *(Refused("x"), Refused(5), Lost("x"), Lost("x", retry=1), ClockOffset("book", 5), ClockOffset("book", "5")),  # type: ignore[arg-type]
    ):
        yield guard.problem_of, (item,)
    assert Receipt
    for value in ODD:
        yield guard.kind_of, (value,)
        yield guard.is_a, (value, int, float)


def _told(value: Any) -> str:
    return "others" if isinstance(value, SimpleNamespace) else f"{value!a}"


def _acme() -> Any:
    module = ModuleType("mon_acme")
    exec(compile(ENTRY, "mon_acme/__init__.py", "exec"), vars(module))
    return vars(module)["ACME"]


def _entry(name: str = "", value: Any = None) -> None:
    acme = _acme()
    if name:
        setattr(type(acme), name, value)
    plugin_check.check_entry(acme, "acme")


def _only(stream: str, symbols: str, example: str) -> None:
    """An entry with one stream."""
    acme = _acme()
    kind = type(acme)
    kind.streams, kind.options, kind.example = {stream: Offer("S", symbols=symbols)}, (), example  # type: ignore[arg-type]
    plugin_check.check_entry(acme, "acme")


def _offer(stream: str, name: str, value: Any) -> None:
    acme = _acme()
    offers = type(acme).streams
    offers[stream] = _with(offers.get(stream, offers["trades"]), name, value)
    plugin_check.check_entry(acme, "acme")


def _option(name: str, value: Any) -> None:
    first, second = _acme().options
    plugin_check.check_options(
        [_with(first, name, value), *([second] if name != "name" else [second, second][:1])], TAKEN
    )


def _with(thing: Any, name: str, value: Any) -> Any:
    """A copy with one field changed, whatever it is made of."""
    import copy
    from dataclasses import is_dataclass, replace

    if isinstance(thing, tuple):
        return thing._replace(**{name: value})  # type: ignore[attr-defined]
    if is_dataclass(thing) and not isinstance(thing, type):
        return replace(thing, **{name: value})
    if isinstance(thing, msgspec.Struct):
        return msgspec.structs.replace(thing, **{name: value})
    other = copy.copy(thing)
    setattr(other, name, value)
    return other


def _endpoint(name: str, value: Any) -> None:
    fields = {"name": "acme", "scheme": "ws", "symbols": {"BTC-USD": "BTC_USDT"}, "credentials": {"key": "k"}}
    more = dict.fromkeys(("sockets", "posts", "services"))
    known = {**fields, **more, "values": staticmethod(lambda world: {"region": "x"})}
    value = staticmethod(value) if callable(value) else value
    made = {**known, name: value} if name != "sockets" else {one: two for one, two in known.items() if one != name}
    plugin_check.check_endpoint(type("Simulated", (), made), _acme())


def _problems(sample: Any, name: str) -> list[str]:
    found = []
    for value in ODD:
        problem = guard.problem_of(msgspec.structs.replace(sample, **{name: value}))
        found.append(problem.partition("expected ")[2] if problem else "")
    good = [f"{value!a}" for value, problem in zip(ODD, found, strict=True) if not problem]
    return [f"takes {', '.join(good) or 'none'}", *sorted({one.partition(", got")[0] for one in found if one})]
