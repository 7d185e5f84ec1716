"""The desk that `mon send` works at, by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cli.output.lines import Words
from cli.run.desk import Desk
from tests.hubs import KEY, configure
from venues.redaction import Redactor


def test_a_key_is_hidden_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, 9)
    redactor = Redactor()
    made = Desk("nbt", None, None, 5.0, Words(), redactor)

    async def work() -> int:
        assert redactor.text(f"with {KEY}") == "with [key]"
        return 7

    assert asyncio.run(made.run(work)) == 7
