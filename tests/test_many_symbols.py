"""Several symbols on one socket, from a real server to the lines and the words of a real process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import manysymbols
from tests.command import environment
from tests.manysymbols import says_first, says_row, says_state, serving
from tests.servers import in_thread, websocket_server
from tests.warmed import run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
PAUSE = 0.4  # seconds in which what came is written, before trouble drops what is not


def ran(
    home: Path, variables: dict[str, str], *arguments: str, seconds: float = 40
) -> tuple[list[dict[str, Any]], str, int]:
    """Lines, words, and the exit code."""
    done = run([*manysymbols.command(), *arguments], environment(home, **variables), timeout=seconds, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode


def short(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Short words: a row's symbol, a status with its symbol, an end with its count."""
    words = []
    for line in lines:
        if line["type"] == "status":
            words.append(f"{line.get('symbol', 'all')} {line['state']}")
        elif line["type"] == "snapshot_end":
            words.append(f"end {line['count']}")
        else:
            words.append(line["symbol"])
    return words


def test_once_is_each_symbol_of_quotes_and_its_end(tmp_path: Path) -> None:
    with serving([*says_first("quotes", "A", "B"), says_row("quotes", "A", 1)]) as (server, variables):
        lines, words, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, "A", "B", "--once")
    assert (short(lines), words, code) == (["A", "B", "end 2"], "", 0)
    assert server.asked == [{"quotes": ["A", "B"]}]


def test_a_symbol_that_is_named_twice_is_asked_for_once(tmp_path: Path) -> None:
    with serving(says_first("quotes", "A", "B")) as (server, variables):
        lines, _, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, "A", "B", "A", "--once")
    assert (short(lines), code) == (["A", "B", "end 2"], 0)
    assert server.asked == [{"quotes": ["A", "B"]}]


def test_once_of_books_is_the_first_of_each_and_has_no_end(tmp_path: Path) -> None:
    said = [*says_first("book", "A"), says_row("book", "A", 1), 0.1, *says_first("book", "B")]
    with serving(said) as (_, variables):
        lines, words, code = ran(tmp_path, variables, "book", manysymbols.NAME, "A", "B", "--once")
    assert (short(lines), words, code) == (["A", "B"], "", 0)


def test_once_asks_for_a_book_again_that_became_stale_before_the_others_came(tmp_path: Path) -> None:
    said = [
        *says_first("book", "A"), 0.1, says_state("book", "stale", "A", "gap"), 0.1, *says_first("book", "B"), 0.1,
        *says_first("book", "A"),
    ]  # fmt: skip
    for more, statuses in (((), True), (("--status", "stderr"), False)):
        with serving(said) as (_, variables):
            lines, words, code = ran(tmp_path, variables, "book", manysymbols.NAME, "A", "B", "--once", *more)
        assert [word for word in short(lines) if " " not in word] == ["A", "B", "A"]
        assert ("A stale" in short(lines)) == statuses
        assert "book A is stale: gap" in words
        assert code == 0


def test_once_says_which_symbols_have_no_data_in_time(tmp_path: Path) -> None:
    for stream in ("book", "quotes"):
        with serving(says_first(stream, "B")) as (_, variables):
            arguments = (stream, manysymbols.NAME, "A", "B", "C", "--once", "--timeout", "1s")
            lines, words, code = ran(tmp_path, variables, *arguments)
        assert (short(lines), code) == (["B"], 6)
        assert "no data came of A, C within 1.0 s" in words


def test_a_check_waits_for_a_symbol_again_that_became_stale_before_the_others_came(tmp_path: Path) -> None:
    said = [
        *says_first("book", "A"), 0.1, says_state("book", "stale", "A", "gap"), 0.1, *says_first("book", "B"), 0.1,
        *says_first("book", "A"),
    ]  # fmt: skip
    with serving(said) as (_, variables):
        (verdict,), _, code = ran(tmp_path, variables, "check", "book", manysymbols.NAME, "A", "B", "--format", "json")
    assert (verdict["text"], code) == ("2 rows", 0)


def test_trouble_of_one_symbol_is_in_the_lines_and_in_words_with_its_symbol(tmp_path: Path) -> None:
    said = [
        *says_first("quotes", "A", "B"), PAUSE, says_state("quotes", "stale", "A", "gap"), says_row("quotes", "B", 1),
        PAUSE,
        *says_first("quotes", "A"), says_row("quotes", "B", 2),
    ]  # fmt: skip
    with serving(said) as (_, variables):
        lines, words, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, "A", "B", "--count", "5")
    assert short(lines) == ["A", "B", "end 2", "A stale", "B", "A live", "A", "end 2", "B"]
    assert "quotes A is stale: gap" in words
    assert "quotes A is live again after" in words
    assert "quotes B" not in words
    assert code == 0


def test_what_happens_to_all_is_one_status_and_one_sentence(tmp_path: Path) -> None:
    names = [f"S{number}" for number in range(60)]
    first = says_first("quotes", *names)
    with serving([*first, PAUSE, None], first) as (_, variables):
        lines, words, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, *names, "--count", "120")
    statuses = [word for word in short(lines) if word.endswith(("reconnecting", "syncing", "live"))]
    assert statuses[:2] == ["all reconnecting", "all syncing"]
    assert statuses[2:] == [f"{name} live" for name in names]
    assert short(lines).count("end 60") == 1
    assert len(words.splitlines()) == 2, words
    assert "quotes: 60 symbols are live again after" in words
    assert "(S0, S1, S2 and 57 more)" in words
    assert code == 0


def test_one_connection_of_two_that_is_lost_is_about_its_symbols(tmp_path: Path) -> None:
    names = [f"S{number}" for number in range(80)]  # 75 on one, 5 on another
    one, other = names[:75], names[75:]

    class Two(manysymbols.Server):
        async def __call__(self, websocket: Any) -> None:
            asked = json.loads(await websocket.recv())
            self.asked.append(asked)
            for message in says_first("quotes", *asked["quotes"]):
                await websocket.send(json.dumps(message))
            if len(asked["quotes"]) == 5 and sum(len(was["quotes"]) == 5 for was in self.asked) == 1:
                await asyncio.sleep(PAUSE)
                await websocket.close(1001)
            await websocket.wait_closed()

    server = Two()
    with in_thread(lambda: websocket_server(server)) as port:
        variables = {"MON_MANYSYMBOLS_URL": f"ws://127.0.0.1:{port}"}
        lines, words, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, *names, "--count", "85")
    gone = [word for word in short(lines) if word.endswith("reconnecting")]
    assert gone == [f"{name} reconnecting" for name in other]
    assert not any(word.startswith("all ") for word in short(lines))
    assert "quotes: 5 symbols: the venue closed the connection (code 1001)" in words
    assert "(S75, S76, S77 and 2 more)" in words
    assert code == 0
    assert set(one) <= set(short(lines))


def test_a_quiet_symbol_is_stale_by_max_age_alone(tmp_path: Path) -> None:
    busy = [message for number in range(1, 25) for message in (0.05, says_row("quotes", "B", number))]
    with serving([*says_first("quotes", "A", "B"), *busy]) as (_, variables):
        arguments = ("quotes", manysymbols.NAME, "A", "B", "--max-age", "400ms", "--count", "25")
        lines, words, code = ran(tmp_path, variables, *arguments)
    assert "A stale" in short(lines)
    assert "B stale" not in short(lines)
    assert "quotes A is stale: no data for 0.4 s (--max-age)" in words
    assert code == 0


def test_a_symbol_that_is_refused_is_closed_and_the_others_go_on(tmp_path: Path) -> None:
    said = [
        *says_first("quotes", "A", "B"), PAUSE, {"refused": "A", "stream": "quotes", "reason": "delisted"}, 0.1,
        says_row("quotes", "B", 1),
    ]  # fmt: skip
    with serving(said) as (_, variables):
        lines, words, code = ran(tmp_path, variables, "quotes", manysymbols.NAME, "A", "B", "--count", "3")
    assert short(lines) == ["A", "B", "end 2", "A closed", "B"]
    assert "quotes A is closed: delisted" in words
    assert code == 0


def test_all_symbols_of_one_connection_that_are_refused_leave_the_other_one_on(tmp_path: Path) -> None:
    names = [f"S{number}" for number in range(76)]  # 75 on one, 1 on another

    class Two(manysymbols.Server):
        async def __call__(self, websocket: Any) -> None:
            asked = json.loads(await websocket.recv())["quotes"]
            for message in says_first("quotes", *asked):
                await websocket.send(json.dumps(message))
            await asyncio.sleep(PAUSE)
            if len(asked) == 1:
                gone = [{"refused": symbol, "stream": "quotes", "reason": "no such symbol"} for symbol in asked]
            else:
                gone = [says_row("quotes", asked[0], number) for number in range(5)]
                await asyncio.sleep(PAUSE)
            for message in gone:
                await websocket.send(json.dumps(message))
            await websocket.wait_closed()

    file = tmp_path / "two.jsonl"
    with in_thread(lambda: websocket_server(Two())) as port:
        variables = {"MON_MANYSYMBOLS_URL": f"ws://127.0.0.1:{port}"}
        lines, words, code = ran(
            tmp_path, variables, "quotes", manysymbols.NAME, *names, "--count", "81", "--record", str(file)
        )
    assert (short(lines)[-6:], code) == (["S75 closed", *["S0"] * 5], 0)
    assert words == "mon: quotes S75 is closed: no such symbol\n"
    lines, _, code = ran(tmp_path, {}, "quotes", manysymbols.NAME, "--replay", str(file), "--speed", "max")
    assert (short(lines)[-6:], code) == (["S75 closed", *["S0"] * 5], 0)


def test_csv_has_the_symbol_and_no_status(tmp_path: Path) -> None:
    said = [
        *says_first("quotes", "A", "B"),
        PAUSE,
        says_state("quotes", "stale", "A", "gap"),
        says_row("quotes", "B", 1),
    ]
    with serving(said) as (_, variables):
        done = run(
            [*manysymbols.command(), "quotes", manysymbols.NAME, "A", "B", "-o", "csv", "--count", "3"],
            environment(tmp_path, **variables),
            cwd=ROOT,
        )
    head, *rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[head.index("symbol")] for row in rows] == ["A", "B", "B"]
    assert "quotes A is stale" in done.stderr


def test_a_table_of_books_or_candles_takes_one_symbol(tmp_path: Path) -> None:
    for stream in ("book", "candles"):
        lines, words, code = ran(tmp_path, {}, stream, manysymbols.NAME, "A", "B", "-o", "table")
        assert (lines, code) == ([], 2)
        assert f"a table of {stream} takes one symbol, got A, B" in words
        assert f"mon {stream} {manysymbols.NAME} A" in words
        assert "-o jsonl" in words


def test_a_table_of_trades_does_not_add_symbols_up(tmp_path: Path) -> None:
    said = [says_state("trades", "live"), *(says_row("trades", symbol, n) for n in range(3) for symbol in "AB")]
    with serving(said) as (_, variables):
        done = run(
            [*manysymbols.command(), "trades", manysymbols.NAME, "A", "B", "-o", "table", "--count", "6"],
            environment(tmp_path, **variables, COLUMNS="100"),
            cwd=ROOT,
        )
    volumes = [line.split() for line in done.stdout.splitlines() if " since " in line]
    assert [(line[0], line[3], line[5]) for line in volumes] == [("A", "2", "1"), ("B", "2", "1")]


def test_a_recording_of_several_symbols_plays_all_of_them(tmp_path: Path) -> None:
    file = str(tmp_path / "two.jsonl")
    said = [
        *says_first("quotes", "A", "B"), PAUSE, says_state("quotes", "stale", "A", "gap"), 0.1,
        says_row("quotes", "B", 1),
        *says_first("quotes", "A"),
    ]  # fmt: skip
    with serving(said) as (_, variables):
        arguments = ("quotes", manysymbols.NAME, "A", "B", "--count", "4", "--record", file)
        lines, _, _ = ran(tmp_path, variables, *arguments)
    assert short(lines) == ["A", "B", "end 2", "A stale", "B", "A live", "A"]
    played, words, code = ran(tmp_path, {}, "replay", file, "--speed", "max")
    assert (short(played), code) == ([*short(lines), "end 2"], 0)
    assert "quotes A is stale: gap" in words
    _, words, code = ran(tmp_path, {}, "quotes", manysymbols.NAME, "A", "--replay", file)
    assert code == 2
    assert "is a recording of A B" in words


def test_once_says_which_symbols_have_no_data_in_a_recording(tmp_path: Path) -> None:
    file = str(tmp_path / "one.jsonl")
    with serving(says_first("book", "B")) as (_, variables):
        ran(tmp_path, variables, "book", manysymbols.NAME, "A", "B", "C", "--count", "1", "--record", file)
    played, words, code = ran(tmp_path, {}, "replay", file, "--speed", "max", "--once")
    assert (short(played), code) == (["B"], 6)
    assert words == "mon: the recording ended before there was a complete state: no data came of A, C\n"


def test_a_recording_of_books_of_several_symbols_is_no_table(tmp_path: Path) -> None:
    file = str(tmp_path / "two.jsonl")
    with serving(says_first("book", "A", "B")) as (_, variables):
        lines, _, _ = ran(tmp_path, variables, "book", manysymbols.NAME, "A", "B", "--count", "2", "--record", file)
    assert short(lines) == ["A", "B"]
    _, words, code = ran(tmp_path, {}, "replay", file, "-o", "table")
    assert code == 2
    assert "a table of book takes one symbol, got A, B" in words
    played, _, code = ran(tmp_path, {}, "replay", file, "--speed", "max", "--once")
    assert (short(played), code) == (["A", "B"], 0)
