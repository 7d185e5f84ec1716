"""The options of a run: where each applies, what goes together, and what a command line makes of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from cli.main import _loaded
from cli.run import options
from cli.run.options import StreamRequest, applies, check_for_lines, check_together, declared, view_options
from venues import VENUES
from venues.errors import MonError, UsageError
from venues.streams import STREAMS
from venues.venue import Offer

FILE = Path("r.jsonl")
OF_JSON = "--numbers string applies to the records of JSON lines only"


def refusal(**given: Any) -> str | None:
    """Why such a request is refused; None where it is not."""
    try:
        check_together(StreamRequest("nexus", **given))
    except UsageError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("option", "value"),
    [("env", "sim"), ("record", FILE), ("retries", 0), ("profile", "p")],
)
def test_what_is_of_a_connection_does_not_go_with_a_replay(option: str, value: Any) -> None:
    assert refusal(**{option: value}) is None
    assert refusal(replay=FILE) is None
    words = f"--{option} does not apply to --replay, which makes no connection"
    assert refusal(replay=FILE, **{option: value}) == words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"speed": 2.0}, "--speed applies to --replay only"),
        ({"speed": 2.0, "replay": FILE}, None),
        ({"once": True, "count": 1}, "expected --once or --count, got both"),
        ({"once": True}, None),
        ({"count": 1}, None),
        ({"overwrite": True}, "--overwrite applies to --record FILE only"),
        ({"append": True}, "--append applies to --record FILE only"),
        ({"append": True, "record": FILE}, None),
        ({"overwrite": True, "record": FILE}, None),
        ({"append": True, "overwrite": True, "record": FILE}, "expected --overwrite or --append, got both"),
        ({"fields": "time", "template": "{time}"}, "expected --fields or --template, got both"),
        ({"fields": "time", "output": "table"}, "--fields applies to lines, not to a table: take -o jsonl, csv or tsv"),
        ({"fields": "time", "output": "csv"}, None),
        ({"fields": "time", "numbers": "string"}, None),
    ],
)
def test_what_goes_together(given: dict[str, Any], words: str | None) -> None:
    assert refusal(**given) == words


@pytest.mark.parametrize("output", ["auto", "table", "jsonl", "csv", "tsv"])
def test_what_goes_with_each_form_of_the_output(output: str) -> None:
    is_json, is_own = output in ("auto", "jsonl"), output == "auto"
    assert refusal(output=output, numbers="string") == (None if is_json else OF_JSON)
    assert refusal(output=output, raw=True) == (None if is_json else f"--raw is written as JSON lines, not as {output}")
    words = f"--tail applies to a table, not to {output}, which has every message anyway"
    assert refusal(output=output, tail=True) == (None if output in ("auto", "table") else words)
    words = f"--template makes its own lines of text, so -o {output} does not apply"
    assert refusal(output=output, template="{time}") == (None if is_own else words)


def test_numbers_are_strings_in_lines_of_json_alone() -> None:
    assert refusal(numbers="string") is None
    assert refusal(numbers="string", template="{price}") == OF_JSON
    assert refusal(numbers="string", raw=True) == OF_JSON
    assert refusal(numbers="number", template="{price}") is None
    assert refusal(numbers="number", raw=True) is None


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("every", 1_000),
        ("max_age", 1_000),
        ("fields", "time"),
        ("template", "{time}"),
        ("where", "stale"),
        ("until", "stale"),
        ("on", ["stale"]),
    ],
)
def test_what_does_not_go_with_frames_as_they_come(option: str, value: Any) -> None:
    assert refusal(**{option: value}) is None
    words = f"--{option.replace('_', '-')} does not apply to --raw, which keeps every frame"
    assert refusal(raw=True, **{option: value}) == words
    assert refusal(raw=True, tail=True) == "--tail applies to a table, not to --raw, which has every message anyway"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("exec", "true"),
        ("bell", True),
        ("rearm", "stale"),
        ("skip_first", True),
        ("cooldown", 0),
        ("exec_parallel", 1),
        ("exec_timeout", 1_000),
    ],
)
def test_what_goes_with_a_condition_to_act_on_is_nothing_without_one(option: str, value: Any) -> None:
    assert refusal(**{option: value}) == f"--{option.replace('_', '-')} applies to --on only"
    assert refusal(on=["stale"], **{option: value}) is None
    assert refusal(on=[], **{option: value}) == f"--{option.replace('_', '-')} applies to --on only"


@pytest.mark.parametrize(
    ("option", "value", "lines"),
    [
        ("group", Decimal(1), "carry every level as it is"),
        ("palette", "red-up", "have no colours"),
        ("tz", "utc", "carry times as milliseconds since the epoch, UTC"),
    ],
)
def test_lines_take_nothing_that_only_a_table_understands(option: str, value: Any, lines: str) -> None:
    check_for_lines(StreamRequest("nexus"))
    check_for_lines(SimpleNamespace())
    with pytest.raises(UsageError) as error:
        check_for_lines(StreamRequest("nexus", **{option: value}))
    assert str(error.value) == f"--{option} applies to a table; lines {lines} (-o table draws one)"


# --- where options apply


def test_some_options_are_of_some_streams_alone() -> None:
    every_stream = {name for name, option in declared().items() if option.applies.to is None}
    for stream in STREAMS:
        assert every_stream <= {*options.options_of_stream(stream)}
    own = {
        stream: [name for name in options.options_of_stream(stream) if name not in every_stream]
        for stream in ("book", "candles", "orders", "trades", "feed")
    }
    assert own == {
        "book": ["depth", "group", "every"],
        "candles": ["interval", "every"],
        "orders": ["every"],
        "trades": [],
        "feed": ["tail"],
    }
    assert applies("depth", "book")
    assert not applies("depth", "trades")


def test_a_dashboard_and_a_replay_have_the_options_that_concern_them() -> None:
    assert options.options_of_dash() == [
        "depth", "group", "env", "duration", "max_age", "retries", "record", "overwrite", "append", "replay", "speed",
        "palette", "tz", "profile", "quiet", "verbose",
    ]  # fmt: skip
    of_connections = ["env", "retries", "record", "overwrite", "append", "replay", "profile"]
    assert [name for name in declared() if name not in options.options_of_replay()] == of_connections


def test_a_view_is_told_what_it_knows_of() -> None:
    request = StreamRequest("nexus", depth=5, group=Decimal("0.5"))
    assert view_options(request, "book", Offer("b", complete=True)) == {
        "depth": 5,
        "step": Decimal("0.5"),
        "complete": True,
    }
    assert view_options(request, "trades", Offer("t")) == {}


# --- a command line


def parsed(stream: str, *words: str) -> StreamRequest:
    """The request that a stream's command would run."""
    ran: list[StreamRequest] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.main.watch_request", ran.append)
        command = _loaded(stream)
        command.main(list(words), standalone_mode=False)
    return ran[0]


def test_a_line_without_options_asks_for_what_they_are_by_default() -> None:
    asked = parsed("book", "nexus", "A", "B")
    assert asked.stream == "book"
    wanted = StreamRequest("nexus", ["A", "B"])
    wanted.stream = "book"
    assert asked == wanted
    assert asked.names() == ("A", "B")
    assert parsed("orders", "nexus").names() == ()


def test_each_option_reaches_the_request() -> None:
    asked = parsed(
        "book",
        *("nexus", "A", "--depth", "7", "--group", "0.5", "-o", "csv", "--fields", "time", "--template", "x"),
        *("--env", "sim", "--where", "w", "--until", "u", "--on", "a", "--on", "b", "--exec", "e", "--bell"),
        *("--rearm", "r", "--skip-first", "--cooldown", "0", "--exec-parallel", "2", "--exec-timeout", "3s"),
        *("--once", "--count", "4", "--duration", "5s", "--timeout", "6s", "--every", "7s", "--max-age", "8s"),
        *("--retries", "9", "--raw", "--record", "f", "--overwrite", "--append", "--replay", "g", "--speed", "max"),
        *("--numbers", "string", "--status", "stderr", "--palette", "red-up", "--tz", "utc", "--profile", "p"),
        *("-q", "-v"),
    )
    wanted = StreamRequest(
        "nexus", ["A"], depth=7, group=Decimal("0.5"), output="csv", fields="time", template="x", env="sim", where="w",
        until="u", on=["a", "b"], exec="e", bell=True, rearm="r", skip_first=True, cooldown=0, exec_parallel=2,
        exec_timeout=3_000, once=True, count=4, duration=5_000, timeout=6_000, every=7_000, max_age=8_000, retries=9,
        raw=True, record=Path("f"), overwrite=True, append=True, replay=Path("g"), speed=float("inf"),
        numbers="string", status="stderr", palette="red-up", tz="utc", profile="p", quiet=True, verbose=True,
    )  # fmt: skip
    wanted.stream = "book"
    assert asked == wanted
    assert parsed("candles", "nexus", "A", "--interval", "1h").interval == "1h"
    assert parsed("feed", "nbt", "--tail").tail


@pytest.mark.parametrize(
    ("option", "least", "most"),
    [("--depth", 1, 1_000_000), ("--count", 1, None), ("--retries", 0, None), ("--exec-parallel", 1, 100)],
)
def test_numbers_have_bounds(option: str, least: int, most: int | None) -> None:
    name = option.removeprefix("--").replace("-", "_")
    for within in (least, 10**9 if most is None else most):
        assert getattr(parsed("book", "nexus", "A", option, str(within)), name) == within
    for beyond, bound in ((least - 1, least), *(() if most is None else ((most + 1, most),))):
        with pytest.raises(typer.TyperException, match=f"(greater|less) than or equal to {bound}"):
            parsed("book", "nexus", "A", option, str(beyond))


# --- completions


def context(command: str = "book", **params: Any) -> Any:
    return SimpleNamespace(params=params, info_name=command)


@pytest.mark.parametrize(
    ("venue", "begun", "offered"),
    [
        (None, "", ["production", "staging", "sim"]),
        ("no such venue", "", ["production", "staging", "sim"]),
        ("nexus", "", ["production", "staging", "sim"]),
        ("nexus", "s", ["staging", "sim"]),
        ("listed", "", ["production", "beta"]),
        ("listed", "b", ["beta"]),
    ],
)
def test_environments_are_those_of_the_venue(
    venue: str | None, begun: str, offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.listedvenue import ENTRY

    monkeypatch.setitem(VENUES, "listed", ENTRY)
    assert options.complete_environment(context(venue=venue), begun) == offered


def test_symbols_are_offered_where_the_stream_takes_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def completed(venue: Any, env: str | None, profile: str | None, begun: str) -> list[str]:
        asked.append((venue.name, env, profile, begun))
        return ["A", "AB"]

    monkeypatch.setattr("cli.run.known_symbols.completed_symbols", completed)
    complete = options.complete_symbol
    assert complete(context(venue="nexus", env="e", profile="p"), "A") == ["A", "AB"]
    assert asked == [("nexus", "e", "p", "A")]
    assert complete(context(venue="nexus", symbols=["A"]), "A") == [], "one is all"
    assert complete(context("trades", venue="kraken", symbols=["A"]), "A") == ["AB"], "it has been typed"
    assert complete(context("orders", venue="b2trader"), "A") == [], "it takes none"
    assert complete(context("margin", venue="nexus"), "A") == [], "the venue has no such stream"
    assert complete(context(venue="no such venue"), "A") == []
    assert complete(context(), "A") == []
    assert complete(context(None, venue="nexus"), "A") == []  # type: ignore[arg-type]
    assert len(asked) == 2


def test_a_venue_that_cannot_be_loaded_is_none_for_a_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise MonError("broken")

    found = options.venue_quietly("nexus")
    assert found is not None
    assert found.name == "nexus"
    monkeypatch.setattr(options, "venue_names", lambda: [*VENUES, "more"])
    assert options.with_plugins(["nexus"]) == ["nexus", "more"]
    for name in ("venue_named", "venue_names"):
        monkeypatch.setattr(options, name, fail)
    assert options.venue_quietly("nexus") is None
    assert options.with_plugins(["nexus"]) == ["nexus"]


@pytest.mark.parametrize(("stream", "title"), [("trades", "Trades, live."), ("book", "Order book, live.")])
def test_a_command_says_in_its_help_what_it_shows(stream: str, title: str) -> None:
    made = options.stream_function(stream, lambda request: None)
    assert (made.__doc__ or "").splitlines()[0] == title


def test_fields_are_those_of_the_stream() -> None:
    assert options.complete_field(context("trades"), "trade_") == ["trade_id"]
    assert options.complete_field(context("replay", stream="trades"), "trade_") == ["trade_id"]
    assert options.complete_field(context("replay", stream=None), "trade_") == []
    assert options.complete_field(context("trades"), "prev.trade_") == ["prev.trade_id"]
    assert options.complete_field_in_braces(context("trades"), "at {trade_") == ["at {trade_id"]
    assert options.complete_field_in_braces(context("trades"), "at {{trade_") == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("trade_", ["trade_id"]),
        ("prev.trade_", ["prev.trade_id"]),
        ("price > trade_", ["price > trade_id"]),
        ("price > prev.trade_", ["price > prev.trade_id"]),
        ("price>trade_", ["price>trade_id"]),
        ("price > 1 and trade_", ["price > 1 and trade_id"]),
        ('side == "buy" and (trade_', ['side == "buy" and (trade_id']),
        ("not trade_", ["not trade_id"]),
        ("price trade_", []),  # an operator is next
        ('side == "trade_', []),  # it is a text
        ("side == 'a\\' + trade_", []),
        ('side == "a" trade_', []),
        ("brand trade_", []),
    ],
)
def test_a_field_is_offered_where_one_may_stand(typed: str, offered: list[str]) -> None:
    assert options.complete_field(context("trades"), typed) == offered


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("{trade_", ["{trade_id"]),
        ("a {trade_", ["a {trade_id"]),
        ("trade_", []),
        ("{{trade_", []),
        ("{{{trade_", ["{{{trade_id"]),
        ("{} trade_", []),
    ],
)
def test_in_a_template_a_field_is_offered_in_braces(typed: str, offered: list[str]) -> None:
    assert options.complete_field_in_braces(context("trades"), typed) == offered
