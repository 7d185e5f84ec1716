"""The options of single venues on a command line: those of a plug-in's venue, wherever they stand, and in the help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer

from cli.main import _loaded
from cli.run import venue_options
from cli.run.venue_options import OfVenue, built_in, learn_quietly
from venues import VENUES, venue_named
from venues import own_options as real_options
from venues.errors import SetupError
from venues.streams import STREAMS, VenueOption

if TYPE_CHECKING:
    from cli.run.options import StreamRequest

PRECISE, RPI = (one for name in ("jayx", "woox") for one in VENUES[name].own_options("book"))
SPECIAL, FAST = VenueOption("special", "How special it is.", "HOW"), VenueOption("fast-as", "As fast as it can be.")
OURS = VenueOption("precise", "Precise, or not.")
PLUGINS: dict[str, tuple[VenueOption, ...]] = {"acme": (SPECIAL, FAST), "other": (OURS,)}


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two venues of plug-ins, with options of their books; the fixture is the names of those that were loaded."""
    asked: list[str] = []

    def options(name: str, stream: str | None = None) -> tuple[VenueOption, ...]:
        if name not in PLUGINS:
            return real_options(name, stream)
        asked.extend([name] if name not in asked else [])
        return PLUGINS[name] if stream in ("book", "quotes") else ()

    monkeypatch.setattr(venue_options, "own_options", options)
    monkeypatch.setattr(venue_options, "has_venue", lambda name: name in VENUES or name in PLUGINS)
    return asked


def parsed(stream: str, line: str) -> StreamRequest:
    ran: list[StreamRequest] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.main.watch_request", ran.append)
        _loaded(stream).main(line.split(), standalone_mode=False)
    return ran[0]


def test_built_in_options_are_known_without_a_venue() -> None:
    assert built_in(["book"]) == [OfVenue("jayx", PRECISE), OfVenue("woox", RPI)]
    assert built_in(["book", "quotes"]) == [OfVenue("jayx", PRECISE), OfVenue("woox", RPI)], "each once"
    assert built_in(["trades"]) == []


@pytest.mark.parametrize(
    ("line", "venue", "own"),
    [
        ("jayx A --precise 5", "jayx", {"precise": "5"}),
        ("woox A --rpi", "woox", {"rpi": "true"}),
        ("jayx A --precise 5 --rpi", "jayx", {"precise": "5", "rpi": "true"}),
        ("nexus A", "nexus", {}),
        ("acme A --special 3", "acme", {"special": "3"}),
        ("acme A --fast-as --special=3", "acme", {"fast-as": "true", "special": "3"}),
        ("acme A", "acme", {}),
        ("--special 3 acme A", "acme", {"special": "3"}),
        ("--special acme acme A", "acme", {"special": "acme"}),
        ("--special nexus acme A", "acme", {"special": "nexus"}),
        ("--fast-as acme A", "acme", {"fast-as": "true"}),
        ("other A --precise", "other", {"precise": "true"}),
        ("--special other acme A", "acme", {"special": "other"}),
    ],
)
def test_own_options_stand_anywhere(line: str, venue: str, own: dict[str, str], loaded: list[str]) -> None:
    asked = parsed("book", line)
    assert (asked.venue, asked.symbols, asked.own) == (venue, ["A"], own)
    assert ("acme" in loaded) is (venue == "acme")


@pytest.mark.parametrize(
    "line",
    ["nexus A --special 3", "--special 3 nexus A", "other A --special 3", "acme A --nothing", "--special acme A"],
)
def test_an_option_of_no_venue_on_the_line_is_none(line: str) -> None:
    with pytest.raises(typer.TyperException):
        parsed("book", line)


def test_a_stream_without_them_has_none_of_a_plugins() -> None:
    with pytest.raises(typer.TyperException, match="--special"):
        parsed("trades", "acme A --special 3")


def command(stream: str = "book") -> Any:
    return _loaded(stream)


def names_of(made: Any) -> list[str]:
    return [one.opts[0] for one in made.params if made.is_own(one)]


def test_options_of_one_more_venue_take_the_place_of_others_of_their_names() -> None:
    made = command()
    before = len(made.params)
    assert names_of(made) == ["--precise", "--rpi"]
    made.take_options_of("acme")
    assert names_of(made) == ["--precise", "--rpi", "--special", "--fast-as"]
    assert len(made.params) == before + 2
    made.take_options_of("other")
    assert names_of(made) == ["--rpi", "--special", "--fast-as", "--precise"]
    (precise,) = (one for one in made.params if one.opts == ["--precise"])
    assert precise.is_flag
    assert (made.has_option("other", precise), made.has_option("jayx", precise), made.has_option(None, precise)) == (
        True, False, False,
    )  # fmt: skip
    depth = next(one for one in made.params if one.opts == ["--depth"])
    assert not made.is_own(depth)
    assert not made.has_option("other", depth)


def test_a_command_has_the_options_of_its_stream_and_a_replay_those_of_all() -> None:
    assert [*command().streams()] == ["book"]
    replay = command("replay")
    assert [*replay.streams()] == [*STREAMS]
    assert names_of(replay) == ["--precise", "--rpi"]
    assert names_of(command("trades")) == []
    replay.take_options_of("acme")
    assert names_of(replay) == ["--precise", "--rpi", "--special", "--fast-as"]
    (special,) = (one for one in replay.params if one.opts == ["--special"])
    assert special.help == "acme: How special it is.", "once, though several streams have it"


def helped(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        command().main(line.split(), standalone_mode=False, prog_name="mon book")
    return capsys.readouterr().out


def test_the_help_has_them_apart_each_with_its_venue(capsys: pytest.CaptureFixture[str]) -> None:
    ours, _, theirs = helped("acme --help", capsys).partition("Options of single venues:\n")
    assert "--depth" in ours
    assert "--special" not in ours
    options, _, examples = theirs.partition("\n\n")
    assert options.splitlines()[0].split(maxsplit=2) == [
        "--precise", "STEP", "jayx: How many ticks are one level; 1 unless said otherwise.",
    ]  # fmt: skip
    assert options.splitlines()[-2:] == [
        "  --special HOW   acme: How special it is.",
        "  --fast-as       acme: As fast as it can be.",
    ]
    assert "mon book jayx BTCUSDT --env sim" in examples
    assert "--special" not in helped("nexus --help", capsys)


def test_after_its_help_a_command_has_its_options_still() -> None:
    made = command()
    before = [*made.params]
    context = made.make_context("mon book", [], resilient_parsing=True)
    made.format_options(context, context.make_formatter())
    assert made.params == before
    assert names_of(made) == ["--precise", "--rpi"]


def test_where_no_venue_has_any_there_is_no_such_part(capsys: pytest.CaptureFixture[str]) -> None:
    command("trades").main(["--help"], standalone_mode=False, prog_name="mon trades")
    assert "Options of single venues" not in capsys.readouterr().out


def test_examples_are_of_each_venue_and_of_one_that_is_simulated() -> None:
    head, *lines = venue_options.stream_examples("positions").splitlines()[1:]
    assert head == "Examples:"
    names = [name for name in VENUES if "positions" in venue_named(name).streams]
    assert len(lines) == len(names) + 2
    assert lines[-2:] == [
        "  mon positions nexus SPOT_BTC_USDT --once | jq .",
        "  mon positions nexus SPOT_BTC_USDT --env sim --count 5 -o csv",
    ]
    assert "  mon positions b2trader --env sim" in lines, "it takes no symbol"


# --- which word is the venue


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kraken A", ["kraken"]),
        ("--depth 5 kraken A", ["kraken"]),
        ("--nothing x kraken A", ["x", "kraken", "A"]),
        ("-z kraken", ["kraken"]),
        ("", []),
        ("--depth", []),
    ],
)
def test_which_words_may_be_the_venue(line: str, words: list[str]) -> None:
    made = command()
    assert made.venues_in(typer.Context(made), line.split()) == words


def test_a_long_line_is_looked_through_as_far_as_that_goes() -> None:
    made = command()
    context = typer.Context(made)
    most = venue_options.MOST_WORDS
    for length in (most - 1, most, most + 1):
        line = ["kraken", *["A"] * (length - 1)]
        assert len(made.arguments_in(context, line)["symbols"]) == min(length, most) - 1
    for at in (most - 1, most):  # the option is the last word that is looked at, or the one after
        line = ["kraken", *["A"] * (at - 1), "--depth", "5", *["A"] * 9]
        assert len(made.arguments_in(context, line)["symbols"]) == at - 1
    assert made.arguments_in(context, ["--depth"]) == made.arguments_in(context, []), "what it lacks is said later"
    assert made.arguments_in(context, ["--once=1", "kraken", "A"]) == {}


@pytest.mark.parametrize(
    ("named", "names"),
    [
        (["jayx"], ["--precise", "--rpi"]),  # they are known, and stay in their order
        (["nowhere"], ["--precise", "--rpi"]),
        ([], ["--precise", "--rpi"]),
        (["acme"], ["--precise", "--rpi", "--special", "--fast-as"]),
    ],
)
def test_only_a_plugins_venue_brings_options(
    named: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = command()
    monkeypatch.setattr(made, "venues_in", lambda ctx, args: named)
    made._take_plugins_options(None, [])
    assert names_of(made) == names


# --- completions


def test_for_a_completion_a_plugins_venue_is_learnt_where_that_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    made = command()
    for name in ("nexus", "jayx", "nowhere"):
        learn_quietly(made, name)
    assert names_of(made) == ["--precise", "--rpi"]

    def broken(*_: object) -> Any:
        raise SetupError("it cannot be loaded")

    with monkeypatch.context() as patch:
        patch.setattr(venue_options, "own_options", broken)
        learn_quietly(made, "acme")
    assert names_of(made) == ["--precise", "--rpi"]
    learn_quietly(made, "acme")
    assert names_of(made) == ["--precise", "--rpi", "--special", "--fast-as"]
