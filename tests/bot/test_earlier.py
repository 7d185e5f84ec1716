"""Which recordings of a folder are history: by when they were made, of which markets, and what others have in them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bot.market_data import MarketName
from cli.bot.timing import earlier as module
from cli.bot.timing.earlier import Wanted, earlier
from venues.errors import SetupError, UsageError
from venues.recording import Header
from venues.venue import Subscription

A, B, W = MarketName("nexus", "A"), MarketName("nexus", "B"), MarketName("woox", "A")
Span = tuple[int | None, int | None, str]  # when it begins and ends, and the symbols that it has


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Span]:
    """Recordings by name."""
    found: dict[str, Span] = {}

    def peeked(path: Path) -> Any:
        begin, _, symbols = found[path.name]
        first = None if begin is None else SimpleNamespace(at=begin)
        return SimpleNamespace(header=SimpleNamespace(venues=lambda: [symbols]), first=first)

    monkeypatch.setattr(module, "_files", lambda folder, leave_out: [folder / name for name in found])
    monkeypatch.setattr(module, "PeekedRecording", peeked)
    monkeypatch.setattr(module, "ends_at", lambda path: found[path.name][1])
    monkeypatch.setattr(module, "_watched", lambda symbols, wanted: {MarketName("nexus", one) for one in symbols})
    return found


def taken(*, since: int = 100, start: int | None = 200) -> tuple[list[str], list[str]]:
    paths, said = earlier(Path("f"), Wanted([A, B], since, start, {}))
    return [path.name for path in paths], said


NONE = "--history auto: no recording in f has candles of nexus:A, nexus:B from before the start"
TOO_LATE = "--history auto leaves out f/x: it goes on after the start, which a script must not know yet"


@pytest.mark.parametrize(
    ("span", "start", "said"),
    [
        ((10, 101, "A"), 200, []),
        ((10, 100, "A"), 200, [NONE]),
        ((150, 200, "A"), 200, []),
        ((150, 201, "A"), 200, [TOO_LATE, NONE]),
        ((199, 200, "A"), 200, []),
        ((200, 200, "A"), 200, [NONE]),
        ((200, 300, "A"), None, []),
        ((10, 300, "A"), None, []),
        ((10, 150, ""), 200, [NONE]),
        ((None, None, "A"), 200, [NONE]),
        ((10, None, "A"), 200, [NONE]),
    ],
)
def test_a_recording_counts_by_when_it_begins_and_ends(
    span: Span, start: int | None, said: list[str], recorded: dict[str, Span]
) -> None:
    recorded["x"] = span
    assert taken(start=start) == ([] if said else ["x"], said)


@pytest.mark.parametrize(
    ("spans", "names"),
    [
        ([(10, 150, "A"), (110, 140, "A")], "0"),
        ([(10, 150, "A"), (10, 140, "A")], "0"),
        ([(10, 150, "A"), (20, 150, "A")], "0"),
        ([(10, 150, "A"), (9, 140, "A")], "10"),
        ([(10, 150, "A"), (20, 151, "A")], "01"),
        ([(10, 150, "A"), (10, 150, "A")], "0"),
        ([(10, 150, "A"), (10, 150, "B")], "01"),
        ([(10, 150, "AB"), (20, 140, "B")], "0"),
        ([(10, 150, "AB"), (10, 150, "B")], "0"),
        ([(10, 150, "B"), (10, 150, "AB")], "1"),
        ([(10, 150, "B"), (20, 140, "AB")], "10"),
        ([(30, 150, "A"), (10, 120, "A"), (20, 150, "B")], "120"),
    ],
)
def test_what_another_one_has_in_it_is_not_taken_and_the_oldest_comes_first(
    spans: list[Span], names: str, recorded: dict[str, Span]
) -> None:
    recorded.update({str(number): span for number, span in enumerate(spans)})
    assert taken() == ([*names], [])


@pytest.mark.parametrize("error", [SetupError("it is damaged"), UsageError("it is no file")])
def test_one_that_cannot_be_used_is_said_and_the_others_are_taken(
    error: Exception, recorded: dict[str, Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.update({"x": (10, 150, "A"), "y": (20, 160, "A")})
    ends_at = module.ends_at

    def fails(path: Path) -> int | None:
        if path.name == "x":
            raise error
        return ends_at(path)

    monkeypatch.setattr(module, "ends_at", fails)
    assert taken() == (["y"], [f"--history auto leaves out f/x: {error}"])


def test_files_are_those_with_the_name_of_a_recording_but_for_those_that_are_read_or_written(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "c.jsonl", "d.json"):
        (tmp_path / name).touch()
    (tmp_path / "e.jsonl").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "c.jsonl")
    left_out = [tmp_path / "link", tmp_path / "none.jsonl"]
    assert [path.name for path in module._files(tmp_path, left_out)] == ["a.jsonl.gz", "b.jsonl"]
    with pytest.raises(SetupError) as refused:
        module._files(tmp_path / "none", [])
    assert str(refused.value) == (
        f"cannot read {tmp_path / 'none'}, which is folder under [recordings] in the config file: "
        "No such file or directory"
    )


def header(venue: str = "woox", env: str | None = None, *streams: str) -> Any:
    asked = [Subscription(stream, ("A", "C")) for stream in streams]
    return SimpleNamespace(venue=venue, env=env, asked_for=lambda: asked)


@pytest.mark.parametrize(
    ("one", "watched"),
    [
        (header("woox", None, "trades"), {W}),
        (header("woox", None, "candles"), {W}),
        (header("woox", None, "book"), set()),
        (header("woox", "sim", "book"), set()),
        (header("woox"), set()),
        (header("jayx", None, "trades"), set()),
        (header("none", None, "trades"), set()),
    ],
)
def test_the_markets_of_a_recording_are_those_of_which_it_has_trades_or_candles(
    one: Header, watched: set[MarketName]
) -> None:
    assert module._watched(one, Wanted([W, B], 0, None, {})) == watched


@pytest.mark.parametrize(
    ("one", "envs", "said"),
    [
        (header("woox", None, "trades", "candles"), {}, "it has trades and candles of woox:A: expected one of them"),
        (
            header("woox", "sim", "trades"),
            {},
            "it is of sim, and the bot's markets of woox are of production",
        ),
        (
            header("woox", None, "trades"),
            {"woox": "sim"},
            "it is of production, and the bot's markets of woox are of sim",
        ),
    ],
)
def test_a_recording_of_something_else_is_refused(one: Header, envs: dict[str, str | None], said: str) -> None:
    with pytest.raises(SetupError) as refused:
        module._watched(one, Wanted([W, B], 0, None, envs))
    assert str(refused.value) == said


@pytest.mark.parametrize(("stream", "watched"), [("book", {A}), ("orders", {A}), ("ping", set())])
def test_trades_that_come_along_unasked_are_watched_too(stream: str, watched: set[MarketName]) -> None:
    assert module._watched(header("nexus", None, stream), Wanted([A, B], 0, None, {})) == watched
