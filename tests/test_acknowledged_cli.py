"""`mon` at a venue that acknowledges subscriptions, refuses some, wants to be asked slowly, or forgets to answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command import environment, records
from tests.servers import in_thread, websocket_server
from tests.warmed import run

ROOT = Path(__file__).parents[1]
Answers = Callable[[dict[str, Any], int, int], list[dict[str, Any]]]


class Venue:
    """What clients asked for: the number of the connection, and the request."""

    def __init__(self, answers: Answers) -> None:
        self.asked: list[tuple[int, dict[str, Any]]] = []
        self._answers = answers
        self._connections = 0

    async def handle(self, socket: Any) -> None:
        self._connections += 1
        connection = self._connections
        async for frame in socket:
            request = json.loads(frame)
            self.asked.append((connection, request))
            tries = sum(number == connection for number, _ in self.asked)
            for answer in self._answers(request, connection, tries):
                if "sleep" in answer:
                    await asyncio.sleep(answer["sleep"])
                elif "close" in answer:
                    await socket.close()
                else:
                    await socket.send(json.dumps(answer))


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[tuple[Venue, dict[str, str]]]:
    venue = Venue(answers)
    with in_thread(lambda: websocket_server(venue.handle)) as port:
        yield venue, {"MON_ACKS_URL": f"ws://127.0.0.1:{port}"}


def mon(*arguments: str, env: Mapping[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.ackvenue", *arguments]
    kept = {**environment(home), **env}
    return run(command, kept, cwd=ROOT)


def ack(channel: str, symbol: str) -> dict[str, Any]:
    return {"ack": channel, "symbol": symbol}


def trade(symbol: str, price: str = "10", **more: Any) -> dict[str, Any]:
    return {"trade": symbol, "price": price, "size": "1", **more}


UNKNOWN = {"S3", "S77", "S120", "S149"}


def some_are_unknown(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
    """What is asked for first is answered at once, the second connection's only after a while."""
    channel = request["subscribe"]
    slow = [{"sleep": 0.3}] if connection == 2 and tries == 1 else []
    return slow + [
        {"no": channel, "symbol": symbol, "why": f"no such pair: {symbol}"}
        if symbol in UNKNOWN
        else ack(channel, symbol)
        for symbol in request["symbols"]
    ]


def test_all_refused_symbols_are_named_over_all_connections(tmp_path: Path) -> None:
    symbols = [f"S{number}" for number in range(150)]
    file = str(tmp_path / "r.jsonl")
    with serving(some_are_unknown) as (venue, env):
        done = mon("trades", "acks", *symbols, "--record", file, env=env, home=tmp_path)
        assert {connection for connection, _ in venue.asked} == {1, 2}
        assert max(len(request["symbols"]) for _, request in venue.asked) == 10
    said = "acks refuses trades of S3, S77, S120, S149 (no such pair:)"
    assert done.returncode == 4
    assert {line["type"] for line in records(done.stdout)} == {"status"}
    assert said in done.stderr
    again = mon("trades", "acks", *symbols, "--replay", file, "--speed", "max", env={}, home=tmp_path)
    assert again.returncode == 4
    assert said in again.stderr


def test_all_of_many_refused_symbols_are_named(tmp_path: Path) -> None:
    """However much the venue says of each."""
    symbols = [f"S{number}OFALONGNAME" for number in range(150)]

    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        return [{"no": "trades", "symbol": one, "why": f"{one[1:4]} " * 60} for one in request["symbols"]]

    with serving(answers) as (_, env):
        done = mon("trades", "acks", *symbols, "-q", env=env, home=tmp_path)
    assert done.returncode == 4
    (said,) = done.stderr.splitlines()
    assert [symbol for symbol in symbols if symbol not in said] == []


def test_data_of_many_symbols_plays_back(tmp_path: Path) -> None:
    """Also where a subscription was spread over several connections."""

    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        taken = [{"taken": request["symbols"], "id": request["id"]}]
        return taken + [trade(symbol) for symbol in request["symbols"]]

    symbols = [f"S{number}" for number in range(120)]
    file = str(tmp_path / "r.jsonl")
    with serving(answers) as (_, env):
        done = mon("trades", "acks", *symbols, "--count", "120", "--record", file, env=env, home=tmp_path)
    assert done.returncode == 0
    assert {line["symbol"] for line in records(done.stdout) if line["type"] == "trade"} == set(symbols)
    again = mon("trades", "acks", "--replay", file, "--speed", "max", "--count", "120", env={}, home=tmp_path)
    assert again.returncode == 0
    assert {line["symbol"] for line in records(again.stdout) if line["type"] == "trade"} == set(symbols)


def test_one_that_the_answer_leaves_out_is_refused(tmp_path: Path) -> None:
    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        return [{"taken": ["A"], "id": request["id"]}]

    with serving(answers) as (_, env):
        done = mon("quotes", "acks", "A", "B", "C", env=env, home=tmp_path)
    assert done.returncode == 4
    assert "acks refuses quotes of B, C (it is missing from the venue's acknowledgement)" in done.stderr


def test_a_venue_that_wants_to_be_asked_slowly(tmp_path: Path) -> None:
    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        if tries == 1:
            return [{"no": "trades", "symbol": "A", "why": "Exceeded msg rate", "slowly": True}]
        return [ack("trades", "A"), trade("A")]

    with serving(answers) as (venue, env):
        done = mon("trades", "acks", "A", "--count", "1", env=env, home=tmp_path)
        assert len(venue.asked) == 2
    assert done.returncode == 0
    assert [line["type"] for line in records(done.stdout)][-1] == "trade"


def test_a_venue_that_forgets_to_answer(tmp_path: Path) -> None:
    """What it forgot is asked for again; while nothing at all is answered, another connection is made."""

    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        if connection == 1:
            return []
        return [ack("trades", "A"), *([ack("trades", "B"), trade("B")] if tries > 1 else [])]

    with serving(answers) as (venue, env):
        hurried = {**env, "MON_ACKS_WITHIN": "0.2"}
        done = mon("trades", "acks", "A", "B", "--count", "1", "--status", "stderr", env=hurried, home=tmp_path)
    assert done.returncode == 0
    assert [line["symbol"] for line in records(done.stdout)] == ["B"]
    assert "acks answers no subscription, asked 3 times" in done.stderr
    assert [(number, request["symbols"]) for number, request in venue.asked] == [
        (1, ["A", "B"]), (1, ["A", "B"]), (1, ["A", "B"]), (2, ["A", "B"]), (2, ["B"]),
    ]  # fmt: skip


def test_after_a_reconnect_a_refused_symbol_is_asked_for_again(tmp_path: Path) -> None:
    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        if connection == 1:
            return [ack("trades", "A"), ack("trades", "B"), trade("A"), {"close": True}]
        if tries == 1:
            return [{"no": "trades", "symbol": "A", "why": "halted"}, ack("trades", "B"), trade("B")]
        return [ack("trades", request["symbols"][0]), trade("A", "11")]

    with serving(answers) as (venue, env):
        done = mon("trades", "acks", "A", "B", "--count", "3", env=env, home=tmp_path)
        assert [request["symbols"] for _, request in venue.asked] == [["A", "B"], ["A", "B"], ["A"]]
    assert done.returncode == 0
    lines = records(done.stdout)
    assert [(line["symbol"], line["price"]) for line in lines if line["type"] == "trade"] == [
        ("A", 10), ("B", 10), ("A", 11),
    ]  # fmt: skip
    (refused,) = [line for line in lines if "halted" in line.get("reason", "")]
    assert refused["state"] == "stale"
    assert refused["reason"] == "the venue refuses it (halted), which it had taken before; asked again"


def test_candles_by_one_word(tmp_path: Path) -> None:
    def answers(request: dict[str, Any], connection: int, tries: int) -> list[dict[str, Any]]:
        assert request["subscribe"] == "trades"
        old = trade("A", "7", time=1_700_000_000_000, snapshot=True)
        return [ack("trades", symbol) for symbol in request["symbols"]] + [
            old,
            trade("A"),
            trade("A", "12"),
            trade("B"),
        ]

    file = str(tmp_path / "r.jsonl")
    with serving(answers) as (venue, env):
        arguments = ("candles", "acks", "A", "B", "--interval", "1d", "--count", "3")
        done = mon(*arguments, "--record", file, env=env, home=tmp_path)
        assert len(venue.asked) == 1
        wrong = mon("candles", "acks", "A", "--interval", "7m", env=env, home=tmp_path)
        assert (wrong.returncode, len(venue.asked)) == (2, 1)
    assert "expected an interval that divides a day evenly" in wrong.stderr
    assert done.returncode == 0
    lines = [line for line in records(done.stdout) if line["type"] == "candle"]
    shown = [(line["symbol"], line["interval"], line["high"], line["volume"], line["complete"]) for line in lines]
    assert shown == [("A", "1d", 10, 1, False), ("A", "1d", 12, 2, False), ("B", "1d", 10, 1, False)]
    header = json.loads(Path(file).read_text(encoding="utf-8").splitlines()[0])
    assert [one["stream"] for one in header["subscriptions"]] == ["candles"]
    again = mon("candles", "acks", "--replay", file, "--speed", "max", "--count", "3", env={}, home=tmp_path)
    played = [{**line, "env": "x"} for line in records(again.stdout) if line["type"] == "candle"]
    assert played == [{**line, "env": "x"} for line in lines]
    longer = mon(
        "candles", "acks", "A", "B", "--replay", file, "--interval", "1h", "--count", "3", env={}, home=tmp_path
    )
    assert {line["interval"] for line in records(longer.stdout) if line["type"] == "candle"} == {"1h"}


def test_refused_trades_refuse_candles(tmp_path: Path) -> None:
    with serving(some_are_unknown) as (_, env):
        done = mon("candles", "acks", "S1", "S3", env=env, home=tmp_path)
    assert done.returncode == 4
    assert "acks refuses trades of S3 (no such pair: S3); candles are made of trades" in done.stderr


@pytest.mark.parametrize(("more", "within"), [((), "0.4 s"), (("--timeout", "300ms"), "0.3 s")])
def test_once_waits_as_the_offer_says(tmp_path: Path, more: tuple[str, ...], within: str) -> None:
    with serving(lambda request, connection, tries: [ack("ticker", "A")]) as (_, env):
        done = mon("ticker", "acks", "A", "--once", *more, env=env, home=tmp_path)
    assert done.returncode == 6
    assert f"within {within}" in done.stderr
