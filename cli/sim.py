"""`mon sim`: the simulator of all venues, by itself."""

from __future__ import annotations

import asyncio
import shlex
import signal
from pathlib import Path  # noqa: TC003  typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import INTERRUPTED, TERMINATED
from cli.options import SpeedParser
from cli.output import print_out
from venues import VENUES, venue_named
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from venues.simulator import Simulator


EXAMPLES = """\b
Examples:
  mon sim --port 9000
  eval "$(mon sim --show-env --port 9000)"
  mon sim --tape skl-usd.jsonl.gz --speed max --fault drop:5s
"""


def sim(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any port that is free.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    rate: Annotated[float, typer.Option(min=0.001, max=1_000_000, help="Events of the order flow a second.")] = 20.0,
    tape: Annotated[Path | None, typer.Option(help="Play a tape of a real market instead of the random flow.")] = None,
    speed: Annotated[
        float | None, typer.Option(parser=SpeedParser(), metavar="FACTOR|max", help="Of the tape; 1 otherwise.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="drop[:5s], stall[:5s], garbage[:1s], refuse[:403], flap, gap[:5s], close[:5s], expel[:5s]; several."
        ),
    ] = None,
    show_env: Annotated[
        bool, typer.Option("--show-env", help="Only show the variables that lead to a simulator on --port.")
    ] = False,
) -> None:
    """Run the simulator of all venues until stopped."""
    from venues.simulator import Simulator, TapeError, environment

    if speed is not None and tape is None:
        raise UsageError("--speed applies to --tape only")
    if show_env:
        if not port:
            raise UsageError("expected --show-env with --port N, the port of a running simulator")
        print_out(_exports(environment(port)))
        return
    faults = _faults(fault or [])
    try:
        simulator = Simulator(seed=seed, rate=rate, tape=tape, speed=speed or 1.0, faults=faults, port=port)
    except TapeError as error:
        raise SetupError(str(error)) from None
    raise typer.Exit(asyncio.run(_serve(simulator)))


async def _serve(simulator: Simulator) -> int:
    from venues.simulator import environment, markets

    stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, TERMINATED)
    try:
        await simulator.start()
    except OSError as error:
        raise SetupError(f"cannot serve on port {simulator.port}: {error.strerror or error}") from error
    try:
        lines = [
            f"# the simulator is on port {simulator.port}; stop it with Ctrl-C",
            _exports(environment(simulator.port)),
        ]
        for name in VENUES:
            venue = venue_named(name)
            lines.append(f"# {name}: {' '.join(markets(name))}, e.g. mon book {name} {venue.example}")
        print_out("\n".join(lines))
        return await stopped
    finally:
        await simulator.close()


def _faults(texts: list[str]) -> list[Any]:
    from venues.simulator import parse_fault

    try:
        return [parse_fault(text) for text in texts]
    except ValueError as error:
        raise UsageError(str(error)) from None


def _exports(variables: dict[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
