"""A script that never stops printing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bot.conftest import HEAD
from tests.command import environment, mon

ENDLESS = HEAD + (
    "import atexit, threading\n"
    "def endless():\n"
    "  while True: print('x')\n"
    "atexit.register(lambda: print('the end'))\n"
    "class Signals(Link):\n"
    "  def on_start(self):\n"
    "    self.publish('t', 1)\n"
    "    threading.Thread(target=endless).start()\n"
)


def test_a_script_that_prints_without_end_is_ended_and_never_gets_into_the_data(tmp_path: Path) -> None:
    script = tmp_path / "bot.py"
    script.write_text(ENDLESS, encoding="utf-8")
    ran = mon("bot", "run", str(script), "--duration", "300ms", env=environment(tmp_path))
    assert ran.returncode == 0
    assert [json.loads(line)["topic"] for line in ran.stdout.splitlines()] == ["t"]
    assert "the end" in ran.stderr
