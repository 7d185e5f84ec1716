"""Which frames of a client the reference servers take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.simulator.packets import Packets, check_engine_packet


@pytest.mark.parametrize(
    "frames",
    [
        ["3", "3probe", "0", "1", "5", "6", "6x"],
        ["40", '40{"token":"1"}', "40/custom,", '40/custom,{"a":[]}', "40/custom"],
        ["41", "41/custom", "41/custom,"],
        ["42", '42["name"]', '42["name",{}]', "42[7]", '4212["name"]', '42/custom,12["name"]', "42/custom,"],
        ["430[]", "4312[1]", '44"no"', '44{"message":"no"}'],
        ['452-["name",{"_placeholder":true,"num":0}]', b"", b"\x00", "3"],
        ["461-/custom,7[]", "bAQID", '42["next"]'],
        ["45-[7]", "41"],
        ['42["a",NaN]'],
    ],
)
def test_what_is_taken(frames: list[str | bytes]) -> None:
    packets = Packets()
    for frame in frames:
        packets.check(frame)


@pytest.mark.parametrize(
    "frames",
    [
        [""],
        ["x"],
        ["7"],
        ["²"],
        ["٤2"],
        ["b!!"],
        ["2"],
        ["2probe"],
        ["4"],
        ["47"],
        ["4x"],
        ["4/other,"],
        ["40[]"],
        ['40"token"'],
        ["41{}"],
        ["42{}"],
        ["42[]"],
        ['42["a"'],
        ['42["disconnect"]'],
        ["42[true]"],
        ['42abc["a"]'],
        ['42٣["a"]'],
        ["42" + "[" * 100_000],
        ["43{}"],
        ["44[]"],
        ["45[1]"],
        ['45x-["a"]'],
        ['45٣-["a"]'],
        [b""],
        [b"4"],
        ["bAQID"],
        ["451-[7]", "41"],
        ["451-[7]", b"", b""],
    ],
)
def test_what_is_not(frames: list[str | bytes]) -> None:
    packets = Packets()
    for frame in frames[:-1]:
        packets.check(frame)
    with pytest.raises(ValueError):  # noqa: PT011  also those of base64 and JSON
        packets.check(frames[-1])


@given(
    st.lists(st.text(max_size=20) | st.binary(max_size=9) | st.from_regex("[0-9b][0-9-]{0,3}.{0,9}", fullmatch=True))
)
def test_anything_is_taken_or_not(frames: list[str | bytes]) -> None:
    packets = Packets()
    for frame in frames:
        try:
            packets.check(frame)
        except ValueError:
            return


@pytest.mark.parametrize("packet", ["b!!", "bA", "x", ""])
def test_what_is_no_packet_of_engine_io(packet: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_engine_packet(packet)


def test_what_is_nested_too_deeply_is_no_packet() -> None:
    with pytest.raises(ValueError, match=r"^expected JSON that is not nested too deeply$"):
        Packets().check("42" + "[" * 100_000)
