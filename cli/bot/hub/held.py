"""`--held`: what a hub has of a strategy at the start, as the user says it, or as the relay itself wrote it down.

A file is JSON: whose positions they are, and each market's, `long`, `short`, `flat` or `unknown`:

    {"hub": "HUB", "env": "sim", "strategy": "rsi", "held": {"VENUE:SYMBOL": "long"}}

It is replaced as a whole, and mode 600. A market is `unknown` from before a signal is sent until it is known what
became of it: so a process that is killed in between leaves no wrong position behind.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from cli.bot.market_data import MarketName
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.bot.plan import HubPosition

LARGEST = 2**20  # bytes of a file


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    hub: str
    strategy: str
    held: dict[str, Literal["long", "short", "flat", "unknown"]]
    env: str | None = None


_DECODER = msgspec.json.Decoder(_Written)


def held_of(
    texts: Sequence[str], market_named: Callable[[str], MarketName]
) -> tuple[dict[MarketName, HubPosition], Path | None]:
    """What `--held` says: markets with their positions, and the file, if one is named.

    Raises:
        UsageError: neither `VENUE:SYMBOL=long`, `short` or `flat` nor a file, a market twice, or two files.
    """
    held: dict[MarketName, HubPosition] = {}
    path: Path | None = None
    for text in texts:
        market, equals, position = text.rpartition("=")
        if not _is_of_market(text):
            if path is not None:
                raise UsageError(f"expected one file as --held, got {path} and {text}")
            path = Path(text)
        elif not equals or position not in ("long", "short", "flat"):
            raise UsageError(f'expected --held VENUE:SYMBOL=long, =short or =flat, or a file, got "{text}"')
        elif (name := market_named(market)) in held:
            raise UsageError(f"expected each market once as --held, got {name} twice")
        else:
            held[name] = position  # type: ignore[assignment]  # as was just checked
    return held, path


def _is_of_market(text: str) -> bool:
    """Whether a text is meant as a market, such as "VENUE:SYMBOL=long", and not as a file."""
    from venues import has_venue

    venue, colon, _ = text.partition(":")
    return bool(colon) and "/" not in venue and (has_venue(venue) or "=" in text)


class HeldFile:
    """A file that says what a hub has of one strategy. `env` is the label of the hub's environment."""

    def __init__(self, path: Path, hub: str, env: str | None, strategy: str) -> None:
        self.path = path
        self._whose = (hub, env, strategy)
        self._written: bytes | None = None

    def read(self) -> dict[MarketName, HubPosition | None] | None:
        """What it says, None for what is not known. None for a file that is not there: nothing is known.

        Raises:
            SetupError: it cannot be read or written, is none of ours, or another strategy's.
        """
        try:
            with open(self.path, "rb") as file:
                text = file.read(LARGEST + 1)
        except FileNotFoundError:
            self._check_folder()
            return None
        except OSError as error:
            raise SetupError(f"cannot read --held {self.path}: {error.strerror or error}") from error
        try:
            found = _DECODER.decode(text)
            held = {_market(name): None if where == "unknown" else where for name, where in found.held.items()}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            raise SetupError(f"expected --held {self.path} as mon writes it, got something else") from None
        whose = (found.hub, found.env, found.strategy)
        if whose != self._whose:
            raise SetupError(f"--held {self.path} is of {_words(*whose)}, and this is {_words(*self._whose)}")
        self._check_folder()
        return held

    def write(self, held: Mapping[MarketName, HubPosition | None]) -> str | None:
        """Replace it, unless it says the same already. The result is what went wrong, in words; None if nothing did.

        Where it cannot be written it is removed: a file that is missing means that nothing is known.
        """
        hub, env, strategy = self._whose
        said = {str(market): position or "unknown" for market, position in held.items()}
        data = msgspec.json.format(msgspec.json.encode(_Written(hub, strategy, said, env)), indent=2) + b"\n"
        if data == self._written:
            return None
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            _write(beside, data)
            os.replace(beside, self.path)
        except OSError as error:
            self._written = None
            for path in (beside, self.path):
                with contextlib.suppress(OSError):
                    path.unlink()
            left = "it still has what was true before: remove it" if self.path.exists() else "it is removed"
            return f"cannot write --held {self.path}: {error.strerror or error}; {left}"
        self._written = data
        return None

    def _check_folder(self) -> None:
        folder = self.path.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SetupError(f"cannot write --held {self.path}: expected a folder that is there and can be written")


def _write(path: Path, data: bytes) -> None:
    """Write a file of our own, which nobody else may read, to the disk itself."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _market(text: str) -> MarketName:
    venue, colon, symbol = text.partition(":")
    if not venue or not colon or not symbol:
        raise ValueError(f"expected VENUE:SYMBOL, got {text}")
    return MarketName(venue, symbol)


def _words(hub: str, env: str | None, strategy: str) -> str:
    where = hub if env is None else f"{hub} ({env})"
    return f'strategy "{strategy}" at {where}'
