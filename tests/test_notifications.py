"""`--exec 'notify-send …'` on a desktop: a real notification daemon shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recorded import FOLDER

NEEDED = ("xvfb-run", "dbus-run-session", "dbus-send", "dunst", "notify-send")
ROOT = Path(__file__).parents[1]

# The daemon prints what it shows. It has the name on the bus before anything is sent, so that no other one is started.
# The bus itself is asked for that: a question to the name, such as dunstctl's, makes the bus start a second daemon.
SESSION = r"""
stdbuf -oL dunst -print > "$1/shown" 2> "$1/said" & daemon=$!
for turn in $(seq 600); do
  dbus-send --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.NameHasOwner \
    string:org.freedesktop.Notifications 2> /dev/null | grep -q 'boolean true' && break
  sleep 0.05
done
shift; "$@" > /dev/null
status=$?
for turn in $(seq 600); do
  grep -q margin "$SHOWN/shown" && break
  sleep 0.05
done
kill "$daemon"
exit "$status"
"""


def test_a_notification_daemon_shows_one_for_notify_send(tmp_path: Path) -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (packages xvfb, xauth, dbus, dunst, libnotify-bin)")
    recording = FOLDER / "b2trader" / "margin--document.frames.jsonl"
    mon = [
        sys.executable, "-m", "cli", "margin", "b2trader", "--replay", str(recording), "--speed", "max",
        "--on", "level_pct > 0", "--exec", 'notify-send -u critical "margin {level_pct} %" "equity {equity}"',
    ]  # fmt: skip
    command = ["xvfb-run", "-a", "dbus-run-session", "--", "sh", "-c", SESSION, "session", str(tmp_path), *mon]
    environment = {**os.environ, "SHOWN": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    shown = (tmp_path / "shown").read_text(encoding="utf-8")
    summaries = [line for line in shown.splitlines() if "summary" in line]
    assert len(summaries) == 1, shown
    assert "margin " in summaries[0]
    assert " %" in summaries[0]
    assert "CRITICAL" in shown
