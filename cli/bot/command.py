"""`mon bot run`: a signal bot on the live streams of any venue."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it
from typing import Annotated, Literal

import typer

from cli.options import DurationParser, Format, SpeedParser
from venues.errors import UsageError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Run a signal bot on the live streams of any venue.",
)

EXAMPLES = """\b
Examples:
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --env sim
  mon bot run rsi.py --replay month.jsonl.gz --speed max | jq .
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --history today.jsonl.gz --listen 8080
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --env sim --relay nbt --yes
"""


@app.callback(epilog=EXAMPLES)
def bot() -> None:
    """Run a signal bot on the live streams of any venue."""


@app.command(epilog=EXAMPLES, no_args_is_help=True)
def run(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The script, with its class Signals(Link).", show_default=False)
    ],
    market: Annotated[
        list[str] | None,
        typer.Option(
            "--market", metavar="VENUE:SYMBOL", help="A market that the bot watches; several.", show_default=False
        ),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option(
            "--history",
            metavar="FILE",
            help="Candles from before the start: a recording, or lines of mon trades or mon candles; several.",
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The venues' environment (production, staging, …); sim: the simulator."),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file.")] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="Give up after so many further tries in a row.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Play a recording instead of connecting.")] = None,
    speed: Annotated[
        float | None,
        typer.Option(parser=SpeedParser(), metavar="FACTOR|max", help="Of a replay; 1 unless said otherwise."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Where the bot's own feed and webhooks are; on this machine at any free port when it has routes.",
        ),
    ] = None,
    relay: Annotated[
        str | None,
        typer.Option(
            metavar="HUB",
            help="Send position signals to a hub as buy and sell signals: nbt; needs --yes.",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The strategy's name at the hub; the script's unless said otherwise."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Signals may be sent: --relay asks nobody.")] = False,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="auto: a table on a terminal, JSON lines elsewhere.")
    ] = "auto",
    count: Annotated[int | None, typer.Option(min=1, help="End after so many signals and messages.")] = None,
    duration: Annotated[
        int | None, typer.Option(parser=DurationParser(), metavar="DURATION", help="End after this time.")
    ] = None,
    numbers: Annotated[Literal["number", "string"], typer.Option(help="How JSON lines carry figures.")] = "number",
    status: Annotated[
        Literal["inline", "stderr"], typer.Option(help="Where interruptions are told: inline and on stderr, or stderr.")
    ] = "inline",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback, and debug lines.")] = (
        False
    ),
) -> None:
    """Run a script written for ProfitView: its class Signals(Link) gets quotes, trades and candles.

    Signals and messages that it emits are the output.
    """
    from cli.bot.host import run_bot
    from cli.bot.plan import market_named
    from cli.bot.request import BotRequest
    from cli.main import REDACTORS
    from cli.output import Words
    from venues.redaction import Redactor

    markets = [market_named(text) for text in market or ()]
    if len(set(markets)) < len(markets):
        twice = next(name for name in markets if markets.count(name) > 1)
        raise UsageError(f"expected each --market once, got {twice} twice")
    for option, given in (("env", env), ("retries", retries), ("profile", profile)):
        if replay is not None and given is not None:
            raise UsageError(f"--{option} does not apply to --replay, which makes no connection")
    if speed is not None and replay is None:
        raise UsageError("--speed applies to --replay only")
    _check_relay(relay, strategy, yes=yes, replayed=replay is not None)
    if numbers == "string" and output in ("table", "csv"):
        raise UsageError("--numbers string applies to the records of JSON lines only")
    request = BotRequest(
        file,
        markets,
        history or [],
        env=env,
        profile=profile,
        retries=retries,
        replay=replay,
        speed=speed,
        listen=None if listen is None else listening_at(listen),
        relay=relay,
        strategy=strategy,
        output=output,
        count=count,
        duration=duration,
        numbers=numbers,
        status=status,
        quiet=quiet,
        verbose=verbose,
    )
    redactor = Redactor()
    REDACTORS.append(redactor)
    raise typer.Exit(run_bot(request, Words(quiet=quiet), redactor))


def _check_relay(relay: str | None, strategy: str | None, *, yes: bool, replayed: bool) -> None:
    if relay is None:
        for option, given in (("--strategy", strategy is not None), ("--yes", yes)):
            if given:
                raise UsageError(f"{option} applies to --relay only")
        return
    from cli.bot.hub import HUBS

    if relay not in HUBS:
        raise UsageError(f'expected a hub that takes signals ({", ".join(HUBS)}) as --relay, got "{relay}"')
    if replayed:
        raise UsageError("--relay does not apply to --replay: signals from old prices are never sent")
    if not yes:
        raise UsageError(
            f"expected --yes with --relay {relay}, which sends signals without asking; nothing was started"
        )


def listening_at(text: str) -> tuple[str, int]:
    """Host and port from "8080", "0.0.0.0:8080" or "[::1]:8080"; without a host, this machine only.

    Raises:
        UsageError: anything else.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise UsageError(f'expected --listen [HOST:]PORT, e.g. 8080 or 0.0.0.0:8080, got "{text}"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f'expected an IPv6 address in brackets, e.g. [::1]:8080, got "{text}"')
    if text.startswith(":"):
        raise UsageError(f'expected --listen [HOST:]PORT, e.g. 8080 or 0.0.0.0:8080, got "{text}"')
    return host or "127.0.0.1", int(port)
