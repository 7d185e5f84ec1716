"""Sessions of a real ASP.NET Core hub, recorded beside the project, play as their README says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.command import environment, mon

if TYPE_CHECKING:
    import subprocess

FOLDER = Path(__file__).parents[1].parent / "shared" / "recordings" / "aspnet"
SESSIONS = sorted(FOLDER.glob("*.jsonl*"))

pytestmark = pytest.mark.skipif(not SESSIONS, reason="the recordings are not beside the project")

Outcome = tuple["subprocess.CompletedProcess[str]", list[dict[str, Any]]]


class End(NamedTuple):
    """How a session ends: its exit code, its lines, and its statuses as (state, what their reason says)."""

    exit: int
    lines: int
    statuses: tuple[tuple[str, str], ...] = ()


MAINTENANCE = "the book is closed for maintenance; subscribing again"
AGAIN = ("stale", "the venue ended Book; subscribing again")
GAP = ("stale", "expected sequence 12598, got 12599; subscribing again")
NO_HUB = ("reconnecting", "connection refused")
ENDS = {
    "balance": End(0, 11),
    "book": End(0, 109),
    "book-end": End(0, 35, (AGAIN, ("live", ""), AGAIN)),
    "book-gap": End(0, 53, (GAP, ("live", ""), GAP)),
    "book-throw": End(0, 35, (("stale", MAINTENANCE), ("live", ""), ("stale", MAINTENANCE))),
    "book-unknown": End(4, 1, (("closed", "Market 'foo.btc_usdt' not found"),)),
    "candles": End(0, 14),
    "closed": End(0, 5),
    "margin": End(0, 9),
    "orders": End(0, 12),
    "orders-401": End(4, 1, (("closed", "refused the token for orders (HTTP 401)"),)),
    "orders-unknown": End(4, 1, (("closed", "Account 'acc-9' not found"),)),
    "positions": End(0, 13),
    "positions-abort": End(5, 10, (("closed", "the hub closed the connection for good"),)),
    "positions-stop": End(0, 13, (("reconnecting", "the connection was lost: no close frame came"), *[NO_HUB] * 4)),
    "positions-token": End(
        4,
        13,
        (
            ("reconnecting", "the connection was lost: no close frame came"),
            ("reconnecting", "does not accept the token for positions any more (HTTP 401)"),
            ("closed", "refused the token for positions (HTTP 401)"),
        ),
    ),
    "quotes": End(0, 39),
    "quotes-redirect": End(0, 2),
    "ticker": End(0, 25),
    "watchlist": End(0, 27),
}


def name_of(session: Path) -> str:
    return session.name.partition(".")[0]


def play(session: Path, home: Path) -> Outcome:
    stream = name_of(session).partition("-")[0]
    replay = ("--replay", str(session), "--speed", "max", "-o", "jsonl")
    ended = mon(stream, "b2trader", *replay, env=environment(home))
    return ended, [json.loads(line, parse_float=str) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("session", SESSIONS, ids=name_of)
def test_a_session_plays_as_its_readme_says(session: Path, tmp_path: Path) -> None:
    end = ENDS[name_of(session)]
    ended, lines = play(session, tmp_path)
    assert (ended.returncode, len(lines)) == (end.exit, end.lines), ended.stderr
    statuses = [line for line in lines if line["type"] == "status"]
    assert len(statuses) == len(end.statuses)
    for status, (state, reason) in zip(statuses, end.statuses, strict=True):
        assert status["state"] == state
        assert reason in status.get("reason", "")
    for _, reason in end.statuses:
        assert reason in ended.stderr


def test_every_session_is_known() -> None:
    assert {name_of(session) for session in SESSIONS} == set(ENDS)


def test_digits_and_names_come_as_the_hub_sent_them(tmp_path: Path) -> None:
    _, balances = play(FOLDER / "balance.jsonl", tmp_path)
    assert "2.000000000000000001" in {line.get("total") for line in balances}
    _, orders = play(FOLDER / "orders.jsonl", tmp_path)
    assert "Eur & Chf <ü+日本>" in {line.get("extra", {}).get("market_full_name") for line in orders}


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("book-unknown", "b2trader refuses book of foo.btc_usdt: Market 'foo.btc_usdt' not found"),
        ("orders-unknown", "b2trader refuses orders of account acc-9: Account 'acc-9' not found"),
        ("book-throw", f"book is stale: {MAINTENANCE}"),
    ],
)
def test_the_hub_s_own_words_come_first(session: str, words: str, tmp_path: Path) -> None:
    (path,) = FOLDER.glob(f"{session}.jsonl*")
    ended, _ = play(path, tmp_path)
    assert f"mon: {words}\n" in ended.stderr
    assert "HubException" not in ended.stderr + ended.stdout
