"""Pictures of a screen, those of the README among them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape

import pytest

from tests.pictures import PICTURES, picture, picture_of, recording_of, screen, shown
from tests.recorded import FOLDER

POSITIONS = FOLDER / "b2trader" / "positions--document.frames.jsonl"
CELL = 12.2  # width of a cell as rich draws it


def words_of(made: str) -> str:
    return unescape(" ".join(ET.fromstring(made).itertext())).replace("\xa0", " ")


def test_a_picture_shows_the_screen() -> None:
    made = picture(POSITIONS, 100, 12, env="sim", keys="s")
    for told in ("b2trader", " SIM ", "positions", "cfd.eur_chf", "symbol ▲", "unrealised PnL", "q quit"):
        assert told in words_of(made)
    assert made == picture(POSITIONS, 100, 12, env="sim", keys="s")


def test_a_picture_says_that_it_is_a_replay_unless_the_recording_knows_better() -> None:
    assert " REPLAY " in words_of(picture(POSITIONS, 100, 12))


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_readme(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they show is compared, not how this version of rich writes it; rewritten with: python -m tests.pictures"""
    for variable, value in {
        "TZ": "Asia/Tokyo",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "20",
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(variable, value)
    assert shown(picture_of(name).read_text(encoding="utf-8")) == shown(PICTURES[name].draw(name))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_the_readme_is_whole(name: str) -> None:
    saved = picture_of(name).read_text(encoding="utf-8")
    width, height = PICTURES[name].width, PICTURES[name].height
    lines = screen(recording_of(name), width, height)
    assert len(lines) == height
    assert " SIM " in words_of(saved)
    assert "LIVE" in words_of(saved)
    assert set(re.findall(r"[a-z]+://[^\s\"<>)]+", saved)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in saved
    for text in re.findall(r'<text class="mon-r[^>]*>', saved):
        begin, length = (float(value) for value in re.findall(r' (?:x|textLength)="([^"]*)"', text))
        assert begin + length <= width * CELL + 0.1
