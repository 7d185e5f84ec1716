"""`--held`: what a hub has of a strategy at the start, as the user says it, or as the relay itself wrote it down.

A file is JSON: whose positions they are, and each market's, `long`, `short`, `flat` or `unknown`; of several scripts
each has its own, and a script that is not in it has said nothing yet:

    {"hub": "HUB", "env": "sim", "strategy": "rsi", "held": {"VENUE:SYMBOL": "long"}}
    {"hub": "HUB", "env": "sim", "strategies": {"rsi": {"VENUE:SYMBOL": "long"}, "hourly": {"VENUE:SYMBOL": "flat"}}}

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

LARGEST = 2**20  # bytes of a file that are read: a larger one is cut, and so is none of ours


_Positions = dict[str, Literal["long", "short", "flat", "unknown"]]  # by VENUE:SYMBOL


class _Written(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    hub: str
    env: str | None = None
    strategy: str | None = None
    held: _Positions | None = None
    strategies: dict[str, _Positions] | None = None

    def by_strategy(self) -> dict[str, _Positions]:
        """The positions of each strategy.

        Raises:
            ValueError: it has neither of the two forms.
        """
        if self.strategies is not None and self.strategy is None and self.held is None:
            return self.strategies
        if self.strategies is None and self.strategy is not None and self.held is not None:
            return {self.strategy: self.held}
        raise ValueError("expected either `strategy` with `held`, or `strategies`")


_DECODER = msgspec.json.Decoder(_Written)


def held_of(
    texts: Sequence[str], market_named: Callable[[str], MarketName], scripts: Sequence[str]
) -> tuple[dict[str, dict[MarketName, HubPosition]], Path | None]:
    """What `--held` says: of each script its markets with their positions; and the file, if one is named.

    With one script a text is `VENUE:SYMBOL=long`, with several `SCRIPT.VENUE:SYMBOL=long`. `scripts` are their names.

    Raises:
        UsageError: neither such a text, with `long`, `short` or `flat`, nor a file; a market twice; or two files.
    """
    held: dict[str, dict[MarketName, HubPosition]] = {}
    path: Path | None = None
    form = "VENUE:SYMBOL" if len(scripts) == 1 else "SCRIPT.VENUE:SYMBOL"
    for text in texts:
        left, equals, position = text.rpartition("=")
        script, market = _script_and_market(left if equals else text)
        if not _is_of_market(market + equals + position):
            if path is not None:
                raise UsageError(f"expected one file as --held, got {path} and {text}")
            path = Path(text)
            continue
        if not equals or position not in ("long", "short", "flat"):
            raise UsageError(f'expected --held {form}=long, =short or =flat, or a file, got "{text}"')
        if script is not None and script not in scripts:
            raise UsageError(f'expected a script of this run ({", ".join(scripts)}) in --held {form}=…, got "{text}"')
        if script is None:
            if len(scripts) > 1:
                raise UsageError(f'expected --held {form}={position}, since each script has its own, got "{text}"')
            (script,) = scripts
        held_by_it = held.setdefault(script, {})
        if (name := market_named(market)) in held_by_it:
            raise UsageError(f"expected each market once as --held, got {left} twice")
        held_by_it[name] = position  # type: ignore[assignment]  # as was just checked
    return held, path


def _script_and_market(text: str) -> tuple[str | None, str]:
    """The parts of "SCRIPT.VENUE:SYMBOL"; no script where none is named."""
    before, colon, symbol = text.partition(":")
    script, dot, venue = before.rpartition(".")
    return (script, venue + colon + symbol) if dot and colon and "/" not in before else (None, text)


def _is_of_market(text: str) -> bool:
    """Whether a text is meant as a market, such as "VENUE:SYMBOL=long", and not as a file."""
    from venues import has_venue

    venue, colon, _ = text.partition(":")
    return bool(colon) and "/" not in venue and (has_venue(venue) or "=" in text)


class HeldFile:
    """A file that says what a hub has of each strategy of a run. All relays of a run share one."""

    def __init__(self, path: Path, strategies: Sequence[str]) -> None:
        self.path = path
        self._strategies = list(strategies)
        self._where: tuple[str, str | None] | None = None  # the hub and the label of its environment, once it was read
        self._is_there = False
        self._positions: dict[str, _Positions] = {}  # by strategy
        self._written: bytes | None = None

    def read(self, hub: str, env: str | None, strategy: str) -> dict[MarketName, HubPosition | None] | None:
        """What it says of a strategy, None for what is not known. None for all of it: nothing is known.

        `env` is the label of the hub's environment. The file itself is read once.

        Raises:
            SetupError: it cannot be read or written, is none of ours, or of other strategies.
        """
        if self._where is None:
            self._read_all(hub, env)
            self._where = (hub, env)
        said = self._positions.get(strategy)
        if said is None:
            return None
        return {_market(name): None if where == "unknown" else where for name, where in said.items()}

    def missing(self, strategy: str) -> str:
        """Why nothing is known of a strategy, in words."""
        return f'{self.path} says nothing of "{strategy}"' if self._is_there else f"{self.path} is not there yet"

    def forget(self, strategy: str) -> None:
        """What it says of a strategy is true of another hub."""
        self._positions.pop(strategy, None)

    def _read_all(self, hub: str, env: str | None) -> None:
        try:
            with open(self.path, "rb") as file:
                text = file.read(LARGEST)
        except FileNotFoundError:
            self._check_folder()
            return
        except OSError as error:
            raise SetupError(f"cannot read --held {self.path}: {error.strerror or error}") from error
        try:
            found = _DECODER.decode(text)
            positions = found.by_strategy()
            for name in (name for said in positions.values() for name in said):
                _market(name)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            raise SetupError(f"expected --held {self.path} as mon writes it, got something else") from None
        if (found.hub, found.env) != (hub, env) or (positions and set(self._strategies).isdisjoint(positions)):
            its, ours = _words(found.hub, found.env, list(positions)), _words(hub, env, self._strategies)
            raise SetupError(f"--held {self.path} is of {its}, and this is {ours}")
        if more := [name for name in positions if name not in self._strategies]:
            raise SetupError(
                f"--held {self.path} is of {_words(hub, env, more)} too, which this run would not keep up to date: "
                "run those scripts with the others, or take another file"
            )
        self._is_there, self._positions = True, positions
        self._check_folder()

    def write(self, strategy: str, held: Mapping[MarketName, HubPosition | None]) -> str | None:
        """Replace it, unless it says the same already. The result is what went wrong, in words; None if nothing did.

        Where it cannot be written it is removed: a file that is missing means that nothing is known.
        """
        assert self._where is not None, "it was read"
        self._positions[strategy] = {str(market): position or "unknown" for market, position in held.items()}
        data = msgspec.json.format(msgspec.json.encode(self._as_written(*self._where)), indent=2) + b"\n"
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

    def _as_written(self, hub: str, env: str | None) -> _Written:
        if len(self._strategies) > 1:
            return _Written(hub, env, strategies=self._positions)
        (strategy,) = self._strategies
        return _Written(hub, env, strategy, self._positions[strategy])

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


def _words(hub: str, env: str | None, strategies: Sequence[str]) -> str:
    where = hub if env is None else f"{hub} ({env})"
    names = " and ".join(f'"{name}"' for name in strategies)
    return f"{'strategy' if len(strategies) == 1 else 'the strategies'} {names} at {where}"
