"""The header of a recording: what it says, which runs can be in one file, and which headers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from venues.errors import RecordingError
from venues.recording import (
    VERSION,
    Header,
    RecordedSubscription,
    Recorder,
    Recording,
    difference,
    header_for,
    with_beside,
)
from venues.redaction import Redactor
from venues.venue import Settings, Subscription

BOOK = RecordedSubscription(stream="book", symbols=("A", "B"), depth=5)


def header(**changes: Any) -> Header:
    return Header(**{"version": VERSION, "venue": "v", "url": "wss://v.example", "subscriptions": [BOOK], **changes})


def beside(*venues: str) -> Header:
    return with_beside([header(venue=venue) for venue in venues])


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (header(), header(), ""),
        (header(version=1, source="a document"), header(), ""),
        (header(venue="v"), header(venue="w"), "v, not of w"),
        (beside("v", "w"), header(), "v and w, not of v"),
        (beside("v", "w"), beside("w", "v"), "v and w, not of w and v"),
        (beside("v", "w"), beside("v", "w"), ""),
        (header(env="test"), header(), "v at wss://v.example, not at wss://v.example"),
        (header(url="wss://x"), header(), "v at wss://x, not at wss://v.example"),
        (header(url="wss://x", env="test"), header(env="test"), "v at wss://x, not at wss://v.example"),
        (header(url="ws://1", env="sim"), header(url="ws://2", env="sim"), ""),
        (header(rest_url="https://x"), header(), "v with requests to https://x, not to none"),
        (header(), header(rest_url="https://x"), "v with requests to none, not to https://x"),
        (header(rest_url="http://1", env="sim"), header(rest_url="http://2", env="sim"), ""),
        (header(values={"a": "1", "b": "2"}), header(values={"a": "1", "b": "3", "c": "4"}), "v with another b, c"),
        (header(values={"a": "1"}), header(), "v with another a"),
        (
            header(),
            header(subscriptions=[RecordedSubscription(stream="book", symbols=("A",))]),
            "book A B --depth 5, not of book A --depth 20",
        ),
        (
            header(subscriptions=[RecordedSubscription(stream="candles", symbols=("A",), interval="5m"), BOOK]),
            header(subscriptions=[RecordedSubscription(stream="trades", options={"y": "2", "x": "1"})]),
            "candles A --interval 5m, book A B --depth 5, not of trades --x 1 --y 2",
        ),
    ],
)
def test_which_runs_can_be_in_one_file(one: Header, other: Header, words: str) -> None:
    assert difference(one, other) == words


def test_what_differs_of_a_venue_beside_is_told() -> None:
    one = with_beside([header(), header(venue="w", url="wss://1")])
    assert difference(one, with_beside([header(), header(venue="w", url="wss://2")])) == "w at wss://1, not at wss://2"


def test_a_header_gives_back_what_it_was_made_of() -> None:
    subscriptions = [
        Subscription("book", ("A", "B"), depth=7),
        Subscription("candles", ("A",), interval="5m", options={"price": "mark"}),
    ]
    settings = Settings("wss://v.example", label="test", values={"account": "1"}, rest_url="https://v.example")
    one = header_for("v", settings, subscriptions)
    assert (one.version, one.venue, one.env, one.source, one.beside) == (VERSION, "v", "test", None, [])
    assert one.asked_for() == subscriptions
    assert one.settings() == Settings(
        "wss://v.example", label="replay", values={"account": "1"}, rest_url="https://v.example"
    )
    both = with_beside([one, header(venue="w")])
    assert [part.venue for part in both.venues()] == ["v", "w"]
    assert both.of("v") is both
    assert both.of("w") == header(venue="w")
    assert both.of("x") is None


def test_no_part_of_a_header_has_a_secret(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.learn({"key": "a-secret-key"})
    secret = {"url": "wss://v/a-secret-key", "rest_url": "https://v/a-secret-key", "values": {"x": "a-secret-key"}}
    Recorder(tmp_path / "x", with_beside([header(**secret), header(**secret)]), redactor).close()
    hidden = {"url": "wss://v/[key]", "rest_url": "https://v/[key]", "values": {"x": "[key]"}}
    assert Recording(tmp_path / "x").header == with_beside([header(**hidden), header(**hidden)])


def first_line(path: Path, **changes: Any) -> Path:
    path.write_text(
        json.dumps({"kind": "recording", "version": VERSION, "venue": "v", "url": "u", "subscriptions": [], **changes})
        + "\n"
    )
    return path


@pytest.mark.parametrize(("version", "is_known"), [(0, False), (1, True), (VERSION, True), (VERSION + 1, False)])
def test_which_versions_are_known(version: int, is_known: bool, tmp_path: Path) -> None:
    path = first_line(tmp_path / "x", version=version)
    if is_known:
        assert Recording(path).header.version == version
        return
    with pytest.raises(RecordingError) as raised:
        Recording(path)
    assert str(raised.value) == f"expected a recording of version 1 to {VERSION}, got version {version} in {path}"


@pytest.mark.parametrize("place", ["first", "beside"])
def test_a_stream_that_nobody_has_is_no_recording(place: str, tmp_path: Path) -> None:
    unknown = [{"stream": "x" * 100}, {"stream": "y"}]
    other = {"kind": "recording", "version": VERSION, "venue": "w", "url": "u", "subscriptions": unknown}
    path = first_line(tmp_path / "x", **({"subscriptions": unknown} if place == "first" else {"beside": [other]}))
    with pytest.raises(RecordingError) as raised:
        Recording(path)
    assert str(raised.value) == f'expected a recording of streams that mon has, got "{"x" * 59}…" in {path}'


@pytest.mark.parametrize(
    "text", ["", "{}\n", "x\n", '{"kind":"frame"}\n', '{"kind":"recording","version":3}\n', "[" * 100_000 + "\n"]
)
def test_what_begins_otherwise_is_no_recording(text: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(RecordingError) as raised:
        Recording(tmp_path / "x")
    said = f"expected a recording (a first line made by --record), got something else in {tmp_path / 'x'}"
    assert str(raised.value) == said


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"^cannot read the recording .*: No such file or directory$"):
        Recording(tmp_path / "x")


@pytest.mark.parametrize("part", [{"depth": 0}, {"depth": -1}, {"symbols": "A"}, {"stream": 1}])
def test_a_subscription_that_cannot_be_is_no_recording(part: dict[str, Any], tmp_path: Path) -> None:
    path = first_line(tmp_path / "x", subscriptions=[{"stream": "book", **part}])
    with pytest.raises(RecordingError, match="got something else"):
        Recording(path)


def test_the_least_depth_is_one(tmp_path: Path) -> None:
    path = first_line(tmp_path / "x", subscriptions=[{"stream": "book", "depth": 1}, {"stream": "book"}])
    assert [one.depth for one in Recording(path).header.subscriptions] == [1, 20]
