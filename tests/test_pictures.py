"""Pictures of a screen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape

from tests.pictures import picture
from tests.recorded import FOLDER


def test_a_picture_shows_the_screen_and_names_no_address() -> None:
    made = picture(FOLDER / "b2trader" / "positions--document.frames.jsonl", 100, 12, env="sim", keys="s")
    words = unescape(" ".join(ET.fromstring(made).itertext())).replace("\xa0", " ")
    for shown in ("b2trader", " SIM ", "positions", "cfd.eur_chf", "symbol ▲", "unrealised PnL", "q quit"):
        assert shown in words
    assert set(re.findall(r"[a-z]+://[^\s\"<>)]+", made)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in made
    assert made == picture(FOLDER / "b2trader" / "positions--document.frames.jsonl", 100, 12, env="sim", keys="s")
