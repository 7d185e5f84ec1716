"""A bot's run from its script to its end, in this process."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cli.bot import host
from cli.bot.command import market_named
from cli.bot.plan import BotRequest
from cli.errors import INTERRUPTED, exit_code
from cli.output.lines import Words
from tests.bot.relaying import relays
from venues.errors import MonError
from venues.redaction import Redactor

HEAD = "from profitview import Link, http, logger\n"


class Ran(NamedTuple):
    """How a run ended."""

    code: int
    records: list[dict[str, Any]]
    said: str
    problem: MonError | None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["type"] == kind]


Runs = Callable[..., Ran]


@pytest.fixture
def runs(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.chdir(tmp_path)

    def run(source: str, *markets: str, **options: Any) -> Ran:
        path = tmp_path / "bot.py"
        path.write_text(source, encoding="utf-8")
        options.setdefault("output", "jsonl")
        if "replay" in options:
            options.setdefault("speed", math.inf)
        request = BotRequest(path, [market_named(text) for text in markets], **options)
        problem: MonError | None = None
        code = 0
        try:
            code = asyncio.run(host.Host(request, Words(quiet=request.quiet), Redactor()).run())
        except MonError as error:
            problem, code = error, exit_code(error)
        for thread in threading.enumerate():
            if thread.name == "bot" and code != INTERRUPTED:
                thread.join(10)
                assert not thread.is_alive()
        out, err = capfd.readouterr()
        lines = out.splitlines()
        return Ran(code, [json.loads(line) for line in lines] if options["output"] == "jsonl" else [], err, problem)

    return run


@pytest.fixture
def relaying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Runs a relay of its own with a small hub; see `relays`."""
    return relays(monkeypatch, tmp_path)
