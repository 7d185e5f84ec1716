"""Calls whose answers are kept (`tests.answers`): addresses, HTTP, packets, settings, options, symbols, and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import typer
from websockets.frames import Close as CloseFrame

from cli.output import queues, statuses, symbols
from cli.run import options, suggestions, values, venue_options
from cli.settings.symbol_cache import KnownSymbol
from tests.asked_figures import NAMES, URLS, each
from tests.samples import LIVE
from venues import VENUES, answers, driver, fetching, redaction, venue_named
from venues.jayx import fields as jayx
from venues.jayx import messages as jayx_messages
from venues.nbt import sending
from venues.protocols import cookies, packets, signalr, socketio
from venues.records import Status
from venues.simulator import faults
from venues.streams import STREAMS
from venues.toolkit import (
    addresses,
)
from venues.venue import HttpResponse, NoResponse, Settings


def addresses_asked() -> Iterator[Any]:
    """Calls about addresses."""
    yield from each(addresses.is_loopback, URLS)
    yield from each(answers.refuse_plain, URLS, ["[address]"])
    yield from each(redaction.without_secret_parameters, URLS)
    yield from each(redaction.says_a_secret, NAMES)
    yield from each(
        redaction.secrets_of_proxy, (None, "", "http://h", "http://u@h", "http://u:p@h", "http://a%40:p%3A@h", "//[x@")
    )
    yield from each(fetching.place_of, URLS[:8])
    yield from each(cookies.without_value, ("a=b", "a=b; Path=/", "a", "", "a=; Secure", "=b", "a=b=c"))
    yield from each(
        cookies.secrets_in, ("a=b", "a=bcdefghij; Path=/x; Secure", "a", "", 'a="quoted text"; b=c', "a=b%20c")
    )


def http_asked() -> Iterator[Any]:
    """Calls about http."""
    codes = (0, 199, 200, 299, 300, 301, 399, 400, 401, 403, 404, 405, 408, 410, 425, 426, 429, 499, 500, 503)
    yield from each(driver.verdict, codes, ("", "words"))
    yield from each(driver.is_passing, codes)
    yield from each(socketio.verdict, codes, ("", "words"))
    yield from each(_problem_of, codes, (b"", b" no such market ", b"\xff" + b"x" * 300))
    yield answers.problem_of, (NoResponse("gone"),)
    yield from each(_body_of, codes)
    yield from each(
        answers.status_of_old_answer, ("HTTP/1.0 404 Not Found", "got HTTP/1.0 503", "HTTP/1.1 200", "", "no")
    )
    ours, theirs = CloseFrame(1011, "keepalive"), CloseFrame(1001, "going" + "x" * 300)
    for received, sent in ((None, None), (theirs, None), (None, ours), (theirs, ours)):
        for first in (None, True, False):
            yield answers.closing_of, (received, sent), {"received_first": first}
    yield from each(answers.words_of, (ValueError(""), ValueError("x"), ValueError("y" * 200)))


def _problem_of(status: int, body: bytes) -> str:
    return answers.problem_of(HttpResponse(status, body))


def _body_of(status: int) -> bytes:
    return answers.body_of(HttpResponse(status, b"no"), "the list")


def packets_asked() -> Iterator[Any]:
    """Calls about packets."""
    yield from each(
        packets.read_frame, (b"", b"4", b"40", b"42[]", b"x", b"\xff", "٣".encode(), b"7abc", b"3probe", b"b4x")
    )
    yield from each(
        packets.read_packet,
        *[
            [
                "",
                "2",
                '2["a"]',
                '212["a"]',
                '2/x,12["a"]',
                '51-["a",{"_placeholder":true,"num":0}]',
                '21-["a"]',
                "0/x",
                "2٣[]",
            ]
        ],
    )
    yield from each(
        packets.read_packet, ('3["é"]', '23٣["é"]', "9", "x", '2/é,["a"]', "2" + "1" * 30 + "[]", "61-0[]", "3-1[]")
    )
    yield from each(
        signalr.own_words, ("", "x", "An error: HubException: words", "HubException: a", "Failed to invoke 'x'")
    )
    yield from each(
        signalr.says_why, ("", "x", "An unexpected error occurred invoking 'Book' on the server.", "HubException: a")
    )
    raw = (
        b"null",
        b'"words"',
        b"7",
        b"{}",
        b'{"msg":"no"}',
        b'{"message":"no"}',
        b'{"error":"x"}',
        b'{"code":-1,"msg":"bad"}',
        b"[]",
    )
    yield from each(jayx_messages.is_error, raw)
    yield from each(jayx_messages.words_of, (*raw, b"\xff"))


def settings_asked() -> Iterator[Any]:
    """Calls about settings."""
    scale = {"BTCUSDT": {"tick_size": "0.01", "lot_size": "0.001"}}
    sizes = (
        "0.01",
        "0",
        "-1",
        "x",
        0.01,
        1,
        None,
        "1e-20",
        "1e-21",
        "1e20",
        "1e21",
        "1" * 20,
        "1" * 21,
        "1" * 60,
        "0." + "1" * 40,
        "",
    )
    given: list[Any] = [
        *({}, {"category": "perp"}, {"category": ""}, {"category": 5}, {"category": "x" * 40}, {"category": "x" * 41}),
        *(
            {"framing": "bare"},
            {"framing": "socketio"},
            {"framing": "x"},
            {"framing": 1},
            {"symbols": scale},
            {"symbols": 5},
        ),
        *({"symbols": '{"BTCUSDT":{"lot_size":"1"}}'}, {"symbols": "{"}, {"symbols": "[]"}, {"symbols": {"btc": {}}}),
        *({"symbols": {"BTCUSDT": 5}}, {"symbols": {"BTCUSDT": {"tick": "1"}}}, {"symbols": {"BTCUSDT": {}}}),
        *({"symbols": {"BTCUSDT": {"tick_size": size}}} for size in sizes),
    ]
    yield from each(jayx.values_of, given)
    yield from each(_configured, ({}, {"symbols": scale}), ("", "venues.jayx.test"))
    fields: list[Any] = [
        *(
            {},
            {"pair": "P"},
            {"pair": "P", "price": "1", "qty": "2"},
            {"pair": "P", "price": "0"},
            {"pair": "P", "price": "-1"},
        ),
        *(
            {"pair": ""},
            {"pair": " "},
            {"pair": "a\nb"},
            {"pair": "x" * 200},
            {"pair": "x" * 201},
            {"pair": 5},
            {"pair": "x" * 1_001},
        ),
        *(
            {"pair": "P", "stratname": "s", "price": "NaN"},
            {"pair": "P", "strategy_id": 7},
            {"pair": "P", "strategy_id": "7"},
        ),
        *(
            {"message": "hi"},
            {"message": ""},
            {"message": 5},
            {"message": "\ud800"},
            {"message": "\ue000"},
            {"message": "x" * 10**6},
        ),
        *(
            {"pair": "P", "stop_loss": "-1"},
            {"pair": "P", "nothing": 1},
            {"qty": "2", "pair": "P", "strategy": "s", "price": 1},
        ),
    ]
    for kind in (*sending.KINDS, "dance", 5):
        yield from each(sending.signal_command, [kind], fields)
    for kind in sending.KINDS:
        yield from ((sending.signal_command, (kind, one), {"from_json": True}) for one in fields[-8:])


def _configured(values: Mapping[str, Any], table: str) -> list[Any]:
    listing = jayx.configured_instruments(Settings("wss://h", values=values, table=table))
    try:
        next(listing)
    except StopIteration as end:
        return list(end.value)
    raise AssertionError("it asks for nothing")


def options_asked() -> Iterator[Any]:
    """Calls about options."""
    durations = (
        "1",
        "0",
        "500ms",
        "1.5s",
        "2h",
        "366d",
        "367d",
        "8784h",
        "31622401",
        "",
        "5 m",
        " 5m ",
        "0.0001s",
        "1w",
        "-1s",
        "1e3",
    )
    yield from each(values.duration_ms, durations)
    yield from each(values.speed_factor, ("max", "0", "1", "0.5", "-1", "inf", "nan", "x", "1e400"))
    yield from each(values.price_step, ("0.5", "0", "-1", "x", " 1 ", ""))
    plain = {
        "env": None,
        "record": None,
        "retries": None,
        "profile": None,
        "replay": None,
        "overwrite": False,
        "append": False,
    }
    plain |= {
        "speed": None,
        "once": False,
        "count": None,
        "numbers": "exact",
        "output": "auto",
        "raw": False,
        "every": None,
    }
    plain |= {"max_age": None, "tail": False}
    plain |= dict.fromkeys((*options.CONDITIONS, *options.OF_ON, *options.CHOICES))
    some: list[dict[str, Any]] = [
        *({}, {"replay": "F"}, *({"replay": "F", name: 0} for name in ("env", "record", "retries", "profile"))),
        *(
            {"overwrite": True},
            {"append": True},
            {"overwrite": True, "append": True, "record": "F"},
            {"append": True, "record": "F"},
        ),
        *({"speed": 1.0}, {"speed": 1.0, "replay": "F"}, {"once": True, "count": 0}, {"once": True}, {"count": 5}),
        *({"numbers": "string", "output": output} for output in ("table", "csv", "jsonl", "auto")),
        *({"raw": True, **more} for more in ({}, {"every": 0}, {"max_age": 0}, {"output": "csv"}, {"output": "table"})),
        *(
            {"raw": True, "numbers": "string"},
            {"tail": True},
            {"tail": True, "raw": True},
            {"raw": True, "tail": True, "output": "jsonl"},
        ),
        *({"tail": True, "output": output} for output in ("jsonl", "csv", "table")),
    ]
    for one in some:
        yield lambda one=one: options.check_together(SimpleNamespace(**plain | one)), (), {}, f"check_together {one}"  # type: ignore[arg-type]
    for name in ("group", "palette", "tz"):
        yield from each(options.check_for_lines, [SimpleNamespace(**{name: 0})])
    for overwrite in (False, True):
        for append in (False, True):
            for file in (None, Path("F")):
                yield options.existing_for, ("--record", file), {"overwrite": overwrite, "append": append}
    yield from each(
        faults.parse_fault,
        ("drop", "drop:1s", "drop:0s", "drop:", "stall:500ms", "gap:2m", "gap:1h", "flap", "flap:1", "x"),
    )
    yield from each(
        faults.parse_fault, ("refuse", "refuse:399", "refuse:400", "refuse:599", "refuse:600", "refuse:5", "halt:0.5s")
    )


def commands_asked() -> Iterator[Any]:
    """The commands of streams: their examples, whose options they have, and which word of a line is the venue."""
    from cli.main import _loaded

    for stream in STREAMS:
        yield venue_options.stream_examples, (stream,)
        command = _loaded(stream)
        yield _owners, (command,), {}, f"options of {stream}"
        for line in LINES:
            yield _venue_words, (command, line.split()), {}, f"the venue in {stream} {line}"
    yield _venue_words, (_loaded("book"), ["x"] * 6_000), {}, "the venue in a long line"
    yield _venue_words, (_loaded("book"), ["--depth"] * 6_000), {}, "the venue in a long line of options"
    yield _venue_words, (_loaded("replay"), ["F", "--precise", "1"]), {}, "the venue in a replay"


LINES = (
    *("kraken BTC/USD", "--depth 5 kraken A", "--nothing x kraken A", "-o", "--rpi woox A B", "--precise 1 jayx A"),
    *("", "--every 1s", "kraken --raw A", "-x kraken", "-- kraken A", "kraken -- -A"),
)


def _owners(command: Any) -> list[str]:
    """Each option of single venues with the venues that have it."""
    own = [one for one in command.params if command.is_own(one)]
    names = (*VENUES, None)
    return [f"{one.opts} {[name for name in names if command.has_option(name, one)]}" for one in own]


def _venue_words(command: Any, words: list[str]) -> list[str]:
    return [word[:20] for word in command.venues_in(typer.Context(command), list(words))][:4]


def symbols_asked() -> Iterator[Any]:
    """Calls about symbols."""
    typed = (
        "BTC/USD",
        "btc/usd",
        "XBT/USD",
        "SPOT_BTC_USDT",
        "spot_btc_usdt",
        "spot.btc_usdt",
        "BTCUSDT",
        "btcusdt",
        "BTC-USDT",
        "",
    )
    typed += ("PERP_BTC_USDT", "BTC", "theo", "a" * 300, "a\nb", "BTC/USD/X", "SPOT__USDT", "a b", "é")
    for name in VENUES:
        venue = venue_named(name)
        yield from ((venue.check_symbol, (one,), {}, f"{name}.check_symbol {one[:40]!a}") for one in typed)
        for one in typed[:12]:
            yield venue.meant, (one,), {}, f"{name}.meant {one[:40]!a}"  # type: ignore[attr-defined]
    known = [
        KnownSymbol(f"SPOT_{base}_{quote}", base, quote)
        for base in ("BTC", "ETH", "SOL", "WBTC", "BTT", "DOGE")
        for quote in ("USDT", "USDC")
    ]
    asked = (
        "btc",
        "SPOT_BTC_USD",
        "BTCUSDT",
        "usdt_btc",
        "SPOT_ETC_USDT",
        "spot-sol-usdt",
        "wbt",
        "dog",
        "xyz",
        "SPOT_X_USDT",
        "S",
        "",
    )
    yield from each(suggestions.nearest, asked, [known])
    yield from each(suggestions.nearest, asked[:4], [known], [["SPOT_SOL_USDC", "SPOT_ETH_USDT"]])
    yield from each(suggestions.nearest, asked, [[KnownSymbol(one.symbol, "", "") for one in known]])


def said_asked() -> Iterator[Any]:
    """Calls about said."""
    more: Sequence[dict[str, Any]] = (
        *(
            {},
            {"reason": "words"},
            {"symbol": "A"},
            {"symbol": "A", "reason": "words"},
            {"attempt": 2, "retry_in_ms": 1_500},
        ),
        *(
            {"attempt": 1, "reason": "r"},
            {"down_ms": 0},
            {"down_ms": 99},
            {"down_ms": 100},
            {"down_ms": 5_000, "reason": "r"},
        ),
    )
    for state in ("connecting", "syncing", "live", "stale", "reconnecting", "closed"):
        for one in more:
            status = Status(venue="v", received=0, stream="book", state=state, **one)  # type: ignore[arg-type]
            yield statuses.in_words, (status,), {}, f"in_words {state} {one}"
            yield statuses.in_words, (status, "B\x1b"), {}, f"in_words of B {state} {one}"
            yield symbols.is_closed_alone, (status,), {}, f"is_closed_alone {state} {one}"
            yield symbols.begins_anew, (status,), {}, f"begins_anew {state} {one}"
    for sequence in GATES:
        yield _passes, (sequence,)
    for name, record in _sampled():
        yield queues.key_of, (record,), {}, f"key_of {name}"
        yield queues.is_last_word, (record,), {}, f"is_last_word {name}"


GATES = (
    "syncing live", "connecting syncing live stale live", "syncing! live",
    "syncing reconnecting syncing live live", "live stale:A live:A",
    "live:A stale:A live:B live:A", "live stale:A live", "stale live live", "closed",
    "live:A live:B stale live:A live:B",
    "live stale:A stale:B live:A live:A live:B", "reconnecting:A live", "live closed:A live:A",
)  # fmt: skip


def _passes(sequence: str) -> str:
    """Which statuses of a sequence pass the gate; `!`: with a reason."""
    gate = statuses.StatusGate()
    passed = []
    for word in sequence.split():
        state, _, symbol = word.rstrip("!").partition(":")
        reason = "why" if word.endswith("!") or state in ("stale", "reconnecting", "closed") else None
        status = Status(venue="v", received=0, stream="book", state=state, symbol=symbol or None, reason=reason)  # type: ignore[arg-type]
        passed.append(word if gate.passes(status) else "-")
    return " ".join(passed)


def _sampled() -> Iterator[tuple[str, Any]]:
    for stream, sample in sorted(LIVE.items()):
        for number, record in enumerate(sample if isinstance(sample, list | tuple) else [sample]):
            yield f"{stream} {number}", record
