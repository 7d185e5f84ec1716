"""`mon sim`: the simulator of all venues, by itself."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from pathlib import Path  # noqa: TC003  typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import INTERRUPTED
from cli.interrupts import asked_to_end, has_come, run_loop
from cli.output.lines import Words, print_out, prints_go_to_stderr
from cli.run.options import existing_for
from cli.run.values import DurationParser, SpeedParser
from venues import VENUES, distribution_of, fault_in, load, venue_named
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from venues.recording_file import Existing
    from venues.simulator import Simulator
    from venues.simulator.endpoint import Endpoint
    from venues.simulator.world import World

RECORDED = next(name for name, entry in VENUES.items() if entry.synthetic)  # the venue whose frames --trades writes
HUSH = 6.0  # seconds in which whoever waits for a signal gets one of a sender, not one that the hub makes up
MOST_NAMED = 8  # of a venue's markets; `mon symbols` has all
LATEST_START = 221_845_392_000_000  # the end of the year 8999: a year later is still a date

EXAMPLES = """\b
Examples:
  mon sim --port 9000
  eval "$(mon sim --show-env --port 9000)"
  mon sim --tape skl-usd.jsonl.gz --speed max --fault drop:5s --port 9001
  eval "$(mon sim --show-env --tape skl-usd.jsonl.gz --port 9001)"
  mon sim --trades 30d --seed 7 --out month.jsonl.gz
"""


def sim(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any port that is free.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1_000_000,
            help="Events of the order flow a second, 20 unless said otherwise; with --trades, trades a second, 0.1.",
        ),
    ] = None,
    tape: Annotated[Path | None, typer.Option(help="Play a tape of a real market instead of the random flow.")] = None,
    speed: Annotated[
        float | None, typer.Option(parser=SpeedParser(), metavar="FACTOR|max", help="Of the tape; 1 otherwise.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="drop[:5s], stall[:5s], garbage[:1s], refuse[:403], flap, gap[:5s], skip[:1s], close[:5s], "
            "expel[:5s], checksum[:5s], halt[:5s], mute[:5s], lag[:5s]; several."
        ),
    ] = None,
    show_env: Annotated[
        bool,
        typer.Option(
            "--show-env",
            help="Only show the variables that lead to a simulator on --port; with the --tape that it plays, if any.",
        ),
    ] = False,
    trades: Annotated[
        int | None,
        typer.Option(
            parser=DurationParser(),
            metavar="DURATION",
            help="Only write a recording of synthetic trades of so long, such as 30d, to --out.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the trades are written (FILE.gz: compressed); plays with --replay.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="--out to a file that exists: write over it.")] = False,
    append: Annotated[
        bool, typer.Option("--append", help="--out to a file that exists: go on behind what is in it.")
    ] = False,
    symbol: Annotated[
        str | None, typer.Option(help=f"Of --trades: a symbol of {RECORDED}; SPOT_BTC_USDT unless said otherwise.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of --trades: when they begin, UTC; 2024-01-01 otherwise.")
    ] = None,
    quotes: Annotated[
        bool, typer.Option("--quotes", help="Of --trades: a book of one level a side before each trade.")
    ] = False,
) -> None:
    """Run the simulator of all venues until stopped, or write synthetic trades."""
    of_server = {"port": port, "tape": tape, "speed": speed, "fault": fault, "show-env": show_env}
    of_trades = {
        "out": out,
        "overwrite": overwrite,
        "append": append,
        "symbol": symbol,
        "start": start,
        "quotes": quotes,
    }
    if trades is None:
        _refuse(of_trades, "applies to --trades only")
    else:
        _refuse(of_server, "does not apply to --trades, which only writes a file")
        if out is None:
            raise UsageError("expected --trades with --out FILE, where they are written")
        existing = existing_for("--out", out, overwrite=overwrite, append=append)
        symbol = symbol or venue_named(RECORDED).example
        _write_trades(out, existing, trades, seed=seed, rate=rate, symbol=symbol, start=start, quotes=quotes)
        return
    if speed is not None and tape is None:
        raise UsageError("--speed applies to --tape only")
    if show_env:
        if not port:
            raise UsageError("expected --show-env with --port N, the port of a running simulator")
        endpoints = _endpoints()
        print_out(_exports(port, endpoints, None if tape is None else _made(endpoints, tape=tape).world))
        return
    faults = _faults(fault or [])
    told = _Faults(Words().say)
    simulator = _made(
        _endpoints(),
        seed=seed,
        rate=rate or 20.0,
        tape=tape,
        speed=speed or 1.0,
        faults=faults,
        port=port,
        hush=0.0 if faults else HUSH,
        on_fault=told,
    )
    raise typer.Exit(run_loop(_serve(simulator, told)))


def _endpoints() -> list[type[Endpoint]]:
    """The endpoints of all venues. One of a plug-in that cannot be started is told of, and left out."""
    from venues.simulated import all_endpoints

    say = Words().say
    return [one for one in all_endpoints(say) if not (whose := distribution_of(one.name)) or _starts(one, whose, say)]


def _starts(endpoint: type[Endpoint], distribution: str, say: Callable[[str], None]) -> bool:
    """Whether an endpoint of somebody else's can be started."""
    from cli.run.source import check_starts
    from venues.toolkit.guard import ContractBroken

    try:
        with prints_go_to_stderr():
            check_starts(endpoint)
    except ContractBroken as broken:
        say(f"the venue {endpoint.name} ({distribution}): {broken}")
        return False
    return True


def _made(endpoints: Sequence[type[Endpoint]], **given: Any) -> Simulator:
    """A simulator that does not run yet.

    Raises:
        SetupError: the tape cannot be read.
    """
    from venues.simulator import Simulator, TapeError

    try:
        return Simulator(endpoints, **given)
    except TapeError as error:
        raise SetupError(str(error)) from None


def _refuse(options: Mapping[str, object], why: str) -> None:
    for option, given in options.items():
        if given:
            raise UsageError(f"--{option} {why}")


def _write_trades(
    out: Path,
    existing: Existing,
    length_ms: int,
    *,
    seed: int,
    rate: float | None,
    symbol: str,
    start: str | None,
    quotes: bool,
) -> None:
    from venues.recording import header_in, open_recording

    synthetic = load(VENUES[RECORDED].synthetic)
    venue_named(RECORDED).check_symbol(symbol)
    rate = rate or synthetic.RATE
    if length_ms / 1000 * rate > synthetic.MOST_TRADES:
        raise UsageError(
            f"expected at most {synthetic.MOST_TRADES:,} trades, got {length_ms / 1000 * rate:,.0f}; "
            "make --trades shorter or --rate lower"
        )
    start_ms = synthetic.START if start is None else _start_ms(start)
    lines = synthetic.Trades(symbol, length_ms, seed=seed, rate=rate, start_ms=start_ms, quotes=quotes)
    file = open_recording(out, header_in(lines.header()), existing, waits=True)
    try:
        with contextlib.closing(file):
            synthetic.write(file, lines)
    except OSError as error:
        raise SetupError(f"cannot write the recording {out}: {error.strerror or error}") from error
    played = f"mon candles {RECORDED} {symbol} --replay {shlex.quote(str(out))} --speed max"
    Words().say(f"{lines.made.trades:,} trades of {symbol} are in {out}; e.g. {played}")


def _start_ms(text: str) -> int:
    """Milliseconds since the epoch from a date or a time, UTC unless it says otherwise."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        milliseconds = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if not 0 <= milliseconds <= LATEST_START:
        raise UsageError(
            f'expected a date or a time such as 2024-01-01 or 2024-01-01T12:00 from 1970 to 9000, got "{text}"'
        )
    return milliseconds


class _Faults:
    """Tells what went wrong in a venue's simulator, each once. `end` is called where no venue's did: all has ended."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()
        self.end: Callable[[Exception], None] | None = None

    def __call__(self, error: Exception, venues: Collection[str]) -> None:
        if not venues and self.end is not None:
            self.end(error)
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        text = f"{fault_in(error)}: {what} (in the simulator of {' and '.join(sorted(venues))})"
        if venues and text not in self._said:
            self._said.add(text)
            self._say(text)


async def _serve(simulator: Simulator, faults: _Faults) -> int:
    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    def fail(error: Exception) -> None:
        if not stopped.done():
            stopped.set_exception(error)

    faults.end = fail
    with asked_to_end(stop):
        return INTERRUPTED if has_come() else await _serve_until(stopped, simulator)


async def _serve_until(stopped: asyncio.Future[int], simulator: Simulator) -> int:
    try:
        await simulator.start()
    except OSError as error:
        raise SetupError(f"cannot serve on port {simulator.port}: {error.strerror or error}") from error
    try:
        lines = [
            f"# the simulator is on port {simulator.port}; stop it with Ctrl-C",
            _exports(simulator.port, simulator.endpoints, simulator.world),
        ]
        lines += [_example(endpoint.name, [*endpoint.symbols]) for endpoint in simulator.endpoints]
        print_out("\n".join(lines))
        return await stopped
    finally:
        await simulator.close()


def _example(name: str, symbols: list[str]) -> str:
    """What the venue has, and a command to begin with: its first stream."""
    command = f"mon {next(iter(venue_named(name).streams))} {name}"
    if not symbols:
        return f"# {name}: e.g. {command}"
    more = f" and {len(symbols) - MOST_NAMED:,} more" if len(symbols) > MOST_NAMED else ""
    return f"# {name}: {' '.join(symbols[:MOST_NAMED])}{more}, e.g. {command} {venue_named(name).example}"


def _faults(texts: list[str]) -> list[Any]:
    from venues.simulator import parse_fault

    try:
        return [parse_fault(text) for text in texts]
    except ValueError as error:
        raise UsageError(str(error)) from None


def _exports(port: int, endpoints: Sequence[type[Endpoint]], world: World | None) -> str:
    """Lines for a shell: the variables that lead to a simulator on that port."""
    from venues.simulator import environment

    with prints_go_to_stderr():  # a shell runs what is on stdout
        variables = environment(endpoints, port, world)
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
