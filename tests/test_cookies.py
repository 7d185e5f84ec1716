"""Cookies by RFC 6265: who gets which one back, and what is shown of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.protocols.cookies import LONGEST, MOST, Cookies, secrets_in, without_value

URL = "https://broker.example/marketdata/v5/info/negotiate?negotiateVersion=1"
HUB = "wss://broker.example/marketdata/v5/info?id=1"
NOW = 1_795_875_646_000  # Sat, 28 Nov 2026 14:20:46 GMT


def sent(*lines: str, to: str = HUB, url: str = URL) -> str | None:
    """What goes with a request after one answer."""
    cookies = Cookies()
    cookies.take(url, lines, NOW)
    return cookies.headers(to).get("Cookie")


@pytest.mark.parametrize(
    ("line", "cookie"),
    [
        ("lb=node-3", "lb=node-3"),
        ("lb=node-3; Path=/; HttpOnly; SameSite=None; Secure", "lb=node-3"),
        (" lb = node-3 ;path=/", "lb=node-3"),
        ('lb="a=b+c/d=="; Path=/', 'lb="a=b+c/d=="'),
        ("lb=", "lb="),
        ("lb=1; Path", "lb=1"),
        ("lb=1; Path=marketdata", "lb=1"),
        ("lb=1; Path=/marketdata", "lb=1"),
        ("lb=1; Path=/marketdata/v5/info", "lb=1"),
        ("lb=1; Path=/marketdata/v5/inf", None),
        ("lb=1; Path=/marketdata/v5/info/negotiate", None),
        ("lb=1; Path=/other", None),
        ("lb=1; Path=/other; Path=/", "lb=1"),
        ("lb=1; Domain=broker.example", "lb=1"),
        ("lb=1; Domain=.Broker.Example", "lb=1"),
        ("lb=1; Domain=example", "lb=1"),
        ("lb=1; Domain=", "lb=1"),
        ("lb=1; Domain=other.example", None),
        ("lb=1; Domain=node.broker.example", None),
        ("lb=1; Domain=roker.example", None),
        ("lb=1; Max-Age=60", "lb=1"),
        ("lb=1; Max-Age=0", None),
        ("lb=1; max-age=-1", None),
        ("lb=1; Max-Age=soon", "lb=1"),
        ("lb=1; Max-Age=٣", "lb=1"),
        ("lb=1; Expires=Sat, 28 Nov 2026 14:20:47 GMT", "lb=1"),
        ("lb=1; Expires=Sat, 28 Nov 2026 14:20:46 GMT", None),
        ("lb=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", None),
        ("lb=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=9", "lb=1"),
        ("lb=1; Expires=never", "lb=1"),
        ("lb", None),
        ("=1", None),
        ("", None),
        ("lb=a\x00b", None),
        ("lb=a\tb", None),
        ("lb=ü", None),
        ("lb=\udcff", None),
        ("lb=" + "a" * (LONGEST - 3), "lb=" + "a" * (LONGEST - 3)),
        ("lb=" + "a" * (LONGEST - 2), None),
        ("lb=1; Max-Age=00", None),
        ("lb=1; Max-Age=-0", None),
        ("lb=1; Max-Age=1", "lb=1"),
        ("lb=1; Max-Age=01", "lb=1"),
        ("lb=1; Max-Age=", "lb=1"),
        ("lb=1; Max-Age=0; Expires=Sat, 28 Nov 2026 14:20:47 GMT", None),
        ("lb=1; Max-Age=soon; Expires=Sat, 28 Nov 2026 14:20:46 GMT", None),
        ("lb=1; Expires=Sat, 28 Nov 99999999 14:20:46 GMT", "lb=1"),
    ],
)
def test_which_cookies_come_back(line: str, cookie: str | None) -> None:
    assert sent(line) == cookie


@pytest.mark.parametrize(
    ("to", "gets"),
    [
        ("wss://broker.example:8443/marketdata/v5/info", True),  # a port is no other host
        ("wss://BROKER.example/marketdata/v5/info/more", True),
        ("https://broker.example/marketdata/v5/info/negotiate", True),
        ("wss://broker.example/marketdata/v5", False),
        ("wss://node.broker.example/marketdata/v5/info", False),
        ("wss://example/marketdata/v5/info", False),
        ("wss://broker.example.evil/marketdata/v5/info", False),
        ("wss://broker.example@evil.example/marketdata/v5/info", False),
        ("ws://broker.example/marketdata/v5/info", True),
    ],
)
def test_only_the_host_that_set_it_gets_a_cookie_whatever_its_domain_says(to: str, gets: bool) -> None:
    assert sent("lb=1", to=to) == ("lb=1" if gets else None)
    assert sent("lb=1; Domain=broker.example", to=to) == ("lb=1" if gets else None)


@pytest.mark.parametrize(
    ("url", "to", "gets"),
    [
        ("https://h.example", "wss://h.example", True),
        ("https://h.example/", "wss://h.example", True),
        ("https://h.example/negotiate", "wss://h.example/any", True),
        ("https://h.example/hub/negotiate", "wss://h.example/hub", True),
        ("https://h.example/hub/negotiate", "wss://h.example/hub/", True),
        ("https://h.example/hub/negotiate", "wss://h.example/hubs", False),
        ("https://h.example/hub/negotiate", "wss://h.example", False),
        ("https://h.example/hub/", "wss://h.example/hub", True),
    ],
)
def test_without_a_path_it_is_for_the_folder_that_was_asked(url: str, to: str, *, gets: bool) -> None:
    assert sent("lb=1", url=url, to=to) == ("lb=1" if gets else None)


@pytest.mark.parametrize("scheme", ["wss", "https"])
def test_a_secure_cookie_goes_with_encryption(scheme: str) -> None:
    assert sent("lb=1; secure", to=f"{scheme}://broker.example/marketdata/v5/info") == "lb=1"


def test_a_secure_cookie_goes_nowhere_without_encryption() -> None:
    assert sent("lb=1; Secure", to="ws://broker.example/marketdata/v5/info") is None


def test_several_the_one_for_the_longest_path_first() -> None:
    assert sent("a=1; Path=/", "b=2; Path=/marketdata", "c=3; Path=/", "a=4; Path=/marketdata/v5") == (
        "a=4; b=2; a=1; c=3"
    )


def test_a_later_answer_changes_and_deletes() -> None:
    cookies = Cookies()
    cookies.take(URL, ["a=1; Path=/", "b=2; Path=/", "c=3"], NOW)
    cookies.take(URL, ["b=5; Path=/", "a=; Path=/; Max-Age=0", "c=; Path=/; Max-Age=0", "d=; Max-Age=0"], NOW)
    assert cookies.headers(HUB) == {"Cookie": "c=3; b=5"}
    cookies.take("https://other.example/marketdata/v5/info/negotiate", ["b=; Path=/; Max-Age=0", "x=1; Path=/"], NOW)
    assert cookies.headers(HUB) == {"Cookie": "c=3; b=5"}
    assert cookies.headers("wss://other.example/hub") == {"Cookie": "x=1"}


def test_no_clock_no_end() -> None:
    cookies = Cookies()
    cookies.take(URL, ["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None)
    assert cookies.headers(HUB) == {"Cookie": "a=1"}


def test_no_more_than_a_browser_keeps() -> None:
    assert len((sent(*(f"c{number}=1" for number in range(1000))) or "").split("; ")) == MOST


def test_when_there_are_as_many_as_are_kept_a_known_one_may_still_change() -> None:
    cookies = Cookies()
    cookies.take(URL, [f"c{number}=1; Path=/" for number in range(MOST)], NOW)
    cookies.take(URL, ["c7=2; Path=/", "more=1; Path=/", "c8=; Path=/; Max-Age=0", "another=1; Path=/"], NOW)
    kept = cookies.headers(HUB)["Cookie"].split("; ")
    assert kept == [f"c{number}={2 if number == 7 else 1}" for number in range(MOST) if number != 8] + ["another=1"]


@given(st.lists(st.text(max_size=60)), st.text(max_size=20))
def test_any_line_does_no_harm(lines: list[str], value: str) -> None:
    header = sent(*lines, *(f"n={value}; {line}" for line in lines)) or ""
    assert header.isascii()
    assert "\r" not in header
    assert "\n" not in header
    for line in lines:
        without_value(line)
        secrets_in(line)


@pytest.mark.parametrize(
    ("line", "shown", "secrets"),
    [
        ("lb=node-3; Path=/; Secure", "lb=[cookie]; Path=/; Secure", ["node-3"]),
        ('lb="a%2Fb"', "lb=[cookie]", ['"a%2Fb"', "a%2Fb", "a/b"]),
        ("lb=", "lb=[cookie]", []),
        ("alone; Path=/", "[cookie]; Path=/", ["alone"]),
    ],
)
def test_what_is_shown_and_what_is_hidden(line: str, shown: str, secrets: list[str]) -> None:
    assert without_value(line) == shown
    assert secrets_in(line) == secrets
