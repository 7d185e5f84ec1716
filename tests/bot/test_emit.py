"""What a bot may emit."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cli.bot.script_api import KINDS, message, signal_figures


def figures(src: object = "nexus", sym: object = "X", **given: object) -> dict[str, Any]:
    return signal_figures(src, sym, {**dict.fromkeys(KINDS), **given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": 0.1}, {"size": Decimal("0.1")}),
        ({"size": -1}, {"size": Decimal(-1)}),
        ({"size": np.float64(0.25)}, {"size": Decimal("0.25")}),
        ({"size": np.int64(0)}, {"size": Decimal(0)}),
        ({"size": np.array(0.5)}, {"size": Decimal("0.5")}),
        ({"mid": 30000}, {"mid": Decimal(30000)}),
        ({"bid": Decimal("1.50")}, {"bid": Decimal("1.50")}),
        ({"ask": 1e-7}, {"ask": Decimal("1E-7")}),
        ({"quote": 30000.5}, {"quote": Decimal("30000.5")}),
        ({"quote": [1, 2.5]}, {"quote": [Decimal(1), Decimal("2.5")]}),
        ({"quote": (np.float64(2), 2)}, {"quote": [Decimal("2.0"), Decimal(2)]}),
        ({"quote": np.array([1.0, 2.0])}, {"quote": [Decimal("1.0"), Decimal("2.0")]}),
        ({"mid": "30000.10"}, {"mid": Decimal("30000.10")}),
        ({"size": True, "mid": 2, "bid": None}, {"size": Decimal(1), "mid": Decimal(2)}),
        ({"size": 1.0000000001}, {"size": Decimal(1)}),
        ({"quote": ["1", "2"]}, {"quote": [Decimal(1), Decimal(2)]}),
    ],
)
def test_signals(given: dict[str, object], expected: dict[str, Any]) -> None:
    assert figures(**given) == expected


def test_nothing_has_no_sign() -> None:
    assert str(figures(size=-0.0)["size"]) == "0.0"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "expected size, mid, bid, ask or quote, got none"),
        ({"size": 1, "side": "long"}, 'expected size, mid, bid, ask or quote, got "side"'),
        ({"size": 7}, "a size from -1 to 1, got 7"),
        ({"size": -1.00001}, "a size from -1 to 1"),
        ({"size": "-7"}, "a size from -1 to 1, got"),
        ({"mid": "30_000"}, r'a number as mid, got "30_000" \(str\)'),
        ({"mid": "nan"}, r'a number as mid, got "nan" \(str\)'),
        ({"mid": math.nan}, "a finite number as mid, got nan"),
        ({"mid": np.float64("inf")}, "a finite number as mid, got inf"),
        ({"mid": 1e300}, "expected a number of at most 40 digits"),
        ({"mid": 10**60}, "expected a number of at most 40 digits"),
        ({"bid": [1, 2]}, "a number as bid"),
        ({"quote": [2, 1]}, "a bid of at most the ask"),
        ({"quote": [1]}, "got 1 values"),
        ({"quote": [1, math.nan]}, "a finite number as the ask of quote, got nan"),
        ({"quote": "1,2"}, "a number as quote"),
        ({"size": 1, "src": ""}, 'a text as src, got ""'),
        ({"size": 1, "sym": None}, "a text as sym, got None"),
        ({"size": 1, "src": "a\ud800"}, "a text as src, got"),
    ],
)
def test_what_is_no_signal(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        figures(**given)


def test_data_becomes_plain_json() -> None:
    data = {
        "a": np.float64(1.5),
        "b": np.array([[1, 2], [3, 4]]),
        "c": (True, None, Decimal("1.10")),
        "d": dt.datetime(2023, 3, 9, 12, tzinfo=dt.UTC),
        "e": [math.nan, math.inf, np.float32("nan")],
        "f": pd.Series([1.0, 2.0]),
        "g": np.bool_(True),
        "h": np.datetime64("2023-03-09"),
        3: {np.int64(4): None},
        None: pd.Timestamp("2023-03-09"),
    }
    plain, frame = message("topic", data)
    expected = {
        "a": 1.5,
        "b": [[1, 2], [3, 4]],
        "c": [True, None, 1.10],
        "d": "2023-03-09T12:00:00+00:00",
        "e": [None, None, None],
        "f": [1.0, 2.0],
        "g": True,
        "h": "2023-03-09",
        "3": {"4": None},
        "null": "2023-03-09T00:00:00",
    }
    assert json.loads(frame) == {"type": "topic", "data": expected}
    assert b'"c":[true,null,1.10]' in frame
    data["a"] = 2
    assert plain["a"] == 1.5


def test_what_is_more_than_a_text_and_what_is_no_time() -> None:
    class Side(str, enum.Enum):  # noqa: UP042  as scripts write it
        LONG = "long"

    nothing = [pd.NaT, np.datetime64("NaT", "ns")]
    plain, frame = message(np.str_("t"), [Side.LONG, {Side.LONG: np.str_("x")}, *nothing])
    assert plain == ["long", {"long": "x"}, None, None]
    assert frame == b'{"type":"t","data":["long",{"long":"x"},null,null]}'
    assert message(Side.LONG, None)[1] == b'{"type":"long","data":null}'


def test_without_data() -> None:
    assert message("x", None) == (None, b'{"type":"x","data":null}')


@pytest.mark.parametrize(
    ("topic", "data", "error", "words"),
    [
        ("", 1, ValueError, "got an empty one"),
        (7, 1, TypeError, r"a text as topic, got 7 \(int\)"),
        ("t", {"a": {1, 2}}, TypeError, r"at data\['a'\], got set"),
        ("t", [object()], TypeError, r"at data\[0\], got object"),
        ("t", {(1, 2): 3}, TypeError, "the keys of data, got tuple"),
        ("t", "\ud800", ValueError, "JSON can carry"),
        ("t", "x" * 2**24, ValueError, "at most 16 MiB"),
        ("t", Decimal("1e99"), ValueError, "at most 40 digits"),
    ],
)
def test_what_is_no_message(topic: object, data: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        message(topic, data)


def test_data_that_holds_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="does it hold itself"):
        message("t", loop)
