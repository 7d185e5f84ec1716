"""How things look: what the environment, the options and the config file make of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.style import Style

from cli.run.options import StreamRequest, check_for_lines
from cli.screen.look import PALETTES, STYLES, Look
from cli.screen.terminal import color_depth, has_color, has_unicode, look_for, size
from cli.settings.environment import is_dumb
from venues.errors import SetupError, UsageError

NOW = 1_795_303_742_500


@pytest.mark.parametrize(
    ("variables", "to_terminal", "wanted"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"NO_COLOR": ""}, True, True),
     ({"FORCE_COLOR": "1"}, False, True), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
     ({"TERM": "dumb"}, True, False), ({"TERM": "xterm"}, True, True)],
)  # fmt: skip
def test_colour(variables: Mapping[str, str], to_terminal: bool, wanted: bool) -> None:
    assert has_color(variables, to_terminal=to_terminal) is wanted


@pytest.mark.parametrize(
    ("variables", "encoding", "wanted"),
    [({"LANG": "en_US.UTF-8"}, "utf-8", True), ({"LANG": "de_CH.utf8@euro"}, "utf-8", True), ({}, "utf-8", True),
     ({}, "ascii", False), ({"LANG": "C"}, "utf-8", False), ({"LC_ALL": "POSIX"}, "utf-8", False),
     ({"LANG": "de_CH.ISO-8859-1"}, "utf-8", False), ({"LANG": "de_CH"}, "iso8859-1", False),
     ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", False), ({"LC_CTYPE": "C.UTF-8"}, "utf-8", True),
     ({"LC_CTYPE": "de_CH.UTF-8", "LANG": "C"}, "utf-8", True)],
)  # fmt: skip
def test_unicode(variables: Mapping[str, str], encoding: str, wanted: bool) -> None:
    assert has_unicode(variables, encoding) is wanted


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [({"COLUMNS": "70", "LINES": "20"}, (70, 20)), ({"COLUMNS": "1"}, (1, 24)), ({"COLUMNS": ""}, (80, 24)),
     ({"COLUMNS": "0", "LINES": "0"}, (80, 24)), ({"COLUMNS": "-5", "LINES": "abc"}, (80, 24)),
     ({"COLUMNS": "²", "LINES": "99999"}, (80, 24))],
)  # fmt: skip
def test_size_of_what_is_no_terminal(variables: Mapping[str, str], wanted: tuple[int, int]) -> None:
    assert size(variables, -1) == wanted


@pytest.mark.parametrize(
    ("variables", "depth"),
    [({"TERM": "xterm-256color"}, "256"), ({"TERM": "xterm"}, "standard"), ({"COLORTERM": "truecolor"}, "truecolor")],
)
def test_how_many_colours(variables: Mapping[str, str], depth: str) -> None:
    assert color_depth(variables) == depth


def test_every_palette_has_every_role_and_only_known_styles() -> None:
    roles = set(STYLES["default"])
    for palette in PALETTES:
        assert set(STYLES[palette]) == roles
        for words in STYLES[palette].values():
            style = Style.parse(words)
            if style.color is not None and style.bgcolor is None:
                assert style.color.name not in ("yellow", "white", "black", "blue"), "unreadable on light or on dark"
    assert all(Style.parse(words).color is None for words in STYLES["mono"].values())


def test_red_up_turns_the_sides_and_not_the_states() -> None:
    assert Look(palette="red-up").style("gain") == Look().style("loss")
    assert Look(palette="red-up").style("live") == Look().style("live")


def test_without_colour_every_palette_is_mono() -> None:
    for palette in PALETTES:
        assert Look(palette=palette, color=False).style("stale") == STYLES["mono"]["stale"]


def test_ascii() -> None:
    plain = Look(unicode=False)
    assert plain.text("▲ buy 5 × 3 … — −1") == "^ buy 5 x 3 ... - -1"
    assert plain.text("ünï") == "\\xfcn\\xef"
    assert plain.same_width("▲…—ü漢") == "^.-???"
    assert Look().text("▲ ü") == "▲ ü"


@pytest.mark.parametrize(
    ("width", "cut"), [(9, "abcdefghi"), (8, "abcdefg…"), (3, "ab…"), (1, "…"), (0, "")],
)  # fmt: skip
def test_cut(width: int, cut: str) -> None:
    assert Look().cut("abcdefghi", width) == cut


@pytest.mark.parametrize(("width", "cut"), [(9, "abcdefghi"), (8, "abcde..."), (5, "abcd."), (1, "."), (0, "")])
def test_cut_in_ascii(width: int, cut: str) -> None:
    assert Look(unicode=False).cut("abcdefghi", width) == cut


def test_times_in_a_zone() -> None:
    look = Look(tz=ZoneInfo("Asia/Kolkata"), epoch_ms=lambda: NOW)
    assert look.clock(NOW) == "04:59:02.500"
    assert look.zone() == "UTC+05:30"
    assert Look(tz=UTC, epoch_ms=lambda: NOW).zone() == "UTC"
    assert Look(tz=ZoneInfo("America/New_York"), epoch_ms=lambda: NOW).zone() == "UTC-05:00"
    assert Look(tz=ZoneInfo("America/New_York"), epoch_ms=lambda: NOW + 180 * 86_400_000).zone() == "UTC-04:00"


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("MON_CONFIG", str(file))


def made(palette: str | None = None, tz: str | None = None) -> Look:
    return look_for(palette, tz, to_terminal=True, epoch_ms=lambda: NOW)


def test_options_come_before_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch, '[screen]\npalette = "mono"\ntz = "Asia/Kolkata"\n')
    assert (made().palette, made().zone()) == ("mono", "UTC+05:30")
    assert (made("red-up").palette, made(tz="utc").zone()) == ("red-up", "UTC")
    assert made(tz="local").tz is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [('[screen]\npalette = "pink"', '"pink"'), ('[screen]\ntz = "Mars/Olympus"', "Mars/Olympus"),
     ("[screen]\ntz = 5", "expected text as tz"), ('[screen]\nfont = "big"', "font, which is not known")],
)  # fmt: skip
def test_what_is_wrong_in_the_config_file(
    text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, text)
    with pytest.raises(SetupError, match=problem):
        made()


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "\x00", "Europe", "+15:00", "+05:60", "0530", "+"]
)
def test_a_zone_that_is_none(zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch, "")
    with pytest.raises(UsageError, match="expected local, utc, a time zone such as"):
        made(tz=zone)


@pytest.mark.parametrize(
    ("offset", "shown", "clock"),
    [("+05:30", "UTC+05:30", "04:59"), ("-5", "UTC-05:00", "18:29"), ("utc+0200", "UTC+02:00", "01:29"),
     ("UTC-03:30", "UTC-03:30", "19:59"), ("+0", "UTC", "23:29")],
)  # fmt: skip
def test_an_offset_is_a_zone(
    offset: str, shown: str, clock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, "")
    look = made(tz=offset)
    assert look.zone() == shown
    assert look.clock(NOW)[:5] == clock


@pytest.mark.parametrize("option", ["palette", "tz"])
def test_what_concerns_tables_is_refused_for_lines(option: str) -> None:
    wish = {option: "mono" if option == "palette" else "utc"}
    with pytest.raises(UsageError, match=f"--{option} applies to a table"):
        check_for_lines(StreamRequest("nexus", **wish))  # type: ignore[arg-type]
    check_for_lines(StreamRequest("nexus"))


def test_a_dumb_terminal_gets_lines() -> None:
    assert is_dumb({"TERM": "dumb"})
    assert not is_dumb({"TERM": "xterm"})
