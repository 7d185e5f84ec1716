"""Runs the real `mon` as a user would: as a process, with a home of its own (how it is started: tests/warmed.py)."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.warmed import MON, popen

SYMBOL = "SPOT_BTC_USDT"


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Nothing of the tester's own configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TERM") if name in os.environ}
    kept["PATH"] = f"{MON.parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **variables}


def mon(
    *arguments: str, env: Mapping[str, str], seconds: float = 40, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with popen([MON, *arguments], env, text=True, **pipes) as process:
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def records(output: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in output.splitlines()]


@contextlib.contextmanager
def started(*arguments: str, env: Mapping[str, str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run in the background; killed at the end if it still runs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    process = popen([MON, *arguments], env, **{"text": True, **pipes})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def simulator(home: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """A `mon sim` of its own; gives the environment that leads to it."""
    env = environment(home)
    with started("sim", *arguments, env=env) as process:
        assert process.stdout is not None
        exports: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = shlex.split(value)[0]
            if "e.g. mon" in line:
                break
        assert exports, process.stderr.read() if process.stderr else ""
        yield {**env, **exports}
        process.send_signal(signal.SIGTERM)
        process.wait(10)
