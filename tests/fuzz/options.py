"""Targets of command lines: every option of every command through the parser itself. Nothing is opened.

A case is the words of a command line, with a line end between them. The first one is the command.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Coroutine, Iterator, Sequence
from functools import cache
from typing import Any

import typer

from cli import main
from cli.run import watch
from venues import VENUES
from venues.errors import MonError
from venues.streams import STREAMS

ERRORS = (typer.TyperException, typer.Exit, typer.Abort, MonError)
_VALUES = {
    "depth": "10",
    "interval": "5m",
    "every": "500ms",
    "duration": "30s",
    "timeout": "2h",
    "max-age": "5s",
    "count": "3",
    "retries": "2",
    "speed": "max",
    "group": "0.5",
    "tz": "Europe/Zurich",
    "palette": "mono",
    "numbers": "string",
    "status": "stderr",
    "output": "csv",
    "env": "sim",
    "port": "9000",
    "seed": "7",
    "rate": "0.5",
    "fault": "drop:5s",
    "trades": "30d",
    "start": "2024-01-01",
    "market": "kraken:BTC/USD",
    "listen": "127.0.0.1:8080",
    "relay": "nbt",
    "precise": "10",
    "price": "1.5",
    "qty": "2",
    "pair": "BTCUSDT",
    "strategy": "mine",
    "profile": "second",
}


@cache
def _app() -> Any:
    return main._app()


def commands() -> list[list[str]]:
    """The words that choose each command: of streams, of others, and those within a group."""
    found = []
    for name in [*STREAMS, *main.COMMANDS]:
        command = main._loaded(name)
        inner = list(getattr(command, "commands", {}))
        found += [[name, one] for one in inner] if inner else [[name]]
    return found


def lines() -> list[bytes]:
    """A good line of each command, then one for each option; those of streams are the same in all of them."""
    found, known = [], set[str]()
    for words in commands():
        begun = [*words, *_arguments(words)]
        found.append(begun)
        for parameter in _command(words).params:
            if parameter.param_type_name != "option" or parameter.opts[0] in ("--help", "--version"):
                continue
            name = parameter.opts[0]
            where = "" if words[0] in STREAMS else " ".join(words)
            if f"{where} {name}" in known:
                continue
            known.add(f"{where} {name}")
            value = [] if parameter.is_flag else [_VALUES.get(name.lstrip("-"), "x")]
            found.append([*begun, name, *value])
    return ["\n".join(words).encode() for words in found]


def _command(words: Sequence[str]) -> Any:
    command = main._loaded(words[0])
    return command if len(words) == 1 else command.commands[words[1]]


def _arguments(words: Sequence[str]) -> list[str]:
    if words[0] in STREAMS:
        with_stream = [name for name in VENUES if words[0] in VENUES[name].streams.split()]
        return [with_stream[0], "SPOT_BTC_USDT"] if with_stream[0] == "nexus" else with_stream[:1]
    return {"send": ["nbt", "buy"], "dash": ["kraken", "BTC/USD"], "symbols": ["kraken"], "schema": ["book"]}.get(
        words[0], []
    )


def parsed(case: bytes) -> int:
    """A command line: all of it is parsed; what a stream is asked for is also checked as far as before it is opened."""
    words = case.decode(errors="surrogateescape").split("\n")
    main.check_words(words)
    with _without_words(), _app().make_context("mon", [], resilient_parsing=True) as context:
        name, command, rest = _app().resolve_command(context, words)
        if command is None:
            return 0
        if name in STREAMS:
            return _watched(command, rest)
        with command.make_context(name, rest, parent=context) as inner:
            if not getattr(command, "commands", None):
                return len(inner.params) + 1
            name, command, rest = command.resolve_command(inner, [*inner._protected_args, *inner.args])
            with command.make_context(name, rest, parent=inner) as innermost:
                return len(innermost.params) + 1


def _watched(command: Any, rest: list[str]) -> int:
    """The line of a stream, run up to where its event loop would start."""
    started = watch.run_loop
    watch.run_loop = _not_started  # type: ignore[assignment]
    try:
        command.main(rest, prog_name="mon", standalone_mode=False)
    finally:
        watch.run_loop = started
    return 1


def _not_started(work: Coroutine[Any, Any, int]) -> int:
    work.close()
    return 0


@contextlib.contextmanager
def _without_words() -> Iterator[None]:
    """Help that is asked for goes nowhere."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
