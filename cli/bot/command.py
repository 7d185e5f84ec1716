"""`mon bot run`: a signal bot on the live streams of any venue."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.errors import redactor_of_run
from cli.run.options import (
    check_for_lines,
    check_run,
    options_of_runs,
    take_options,
    venue_quietly,
    with_plugins,
)
from cli.run.values import FileParser
from venues import venues_with
from venues.errors import BadMessage, SetupError, UsageError
from venues.toolkit.numbers import text_number

if TYPE_CHECKING:
    from cli.bot.market_data import MarketName

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Run a signal bot on the live streams of any venue.",
)

MOST_BPS = 10_000
MOST_SCRIPTS = 100

EXAMPLES = """\b
Examples:
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --env sim
  mon bot run rsi.py --replay month.jsonl.gz --speed max | jq .
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --history today.jsonl.gz --listen 8080
  mon bot run rsi.py --market nexus:SPOT_BTC_USDT --env sim --relay nbt --yes
"""


def complete_market(ctx: typer.Context, incomplete: str) -> list[str]:
    """The venues that a bot can watch, each with its example; of one alone the symbols, as far as they are known."""
    from cli.bot.plan import MARKET_DATA
    from cli.run.known_symbols import completed_symbols

    name, colon, symbol = incomplete.partition(":")
    if colon:
        venue = venue_quietly(name)
        if venue is None or set(MARKET_DATA).isdisjoint(venue.streams):
            return []
        found = completed_symbols(venue, ctx.params.get("env"), ctx.params.get("profile"), symbol)
        return [f"{name}:{one}" for one in found]
    begun = [name for name in with_plugins(venues_with(*MARKET_DATA)) if name.startswith(incomplete)]
    if len(begun) == 1:
        return complete_market(ctx, f"{begun[0]}:")
    venues = [venue for name in begun if (venue := venue_quietly(name)) is not None]
    return [f"{one.name}:{one.example}" for one in venues if not set(MARKET_DATA).isdisjoint(one.streams)]


@app.callback(epilog=EXAMPLES)
def bot() -> None:
    """Run a signal bot on the live streams of any venue."""


def run(**given: Any) -> None:
    """Run a script written for ProfitView: its class Signals(Link) gets quotes, trades and candles.

    Signals and messages that it emits are the output.
    """
    from cli.bot.attributes import settings_of
    from cli.bot.host import run_bot
    from cli.bot.hub.held import held_of
    from cli.bot.plan import AUTO, BotRequest
    from cli.output.lines import Words

    files = given.pop("files")
    if len(files) > MOST_SCRIPTS:
        raise UsageError(f"expected at most {MOST_SCRIPTS} scripts in a run, got {len(files):,}")
    markets = [market_named(text, given["env"], given["profile"]) for text in given.pop("market") or ()]
    if len(set(markets)) < len(markets):
        twice = next(name for name in markets if markets.count(name) > 1)
        raise UsageError(f"expected each --market once, got {twice} twice")
    _check_names(files, given["strategy"])
    settings = settings_of(given.pop("set") or (), files)
    replay, *then = given.pop("replay") or [None]
    history, listen, yes = given.pop("history"), given.pop("listen"), given.pop("yes")
    fee_bps, slippage_bps = (_basis_points(name, given.pop(f"{name}_bps")) for name in ("fee", "slippage"))
    said = given.pop("held") or ()
    scripts = [file.stem for file in files]
    held, held_file = held_of(said, lambda text: market_named(text, given["env"], given["profile"]), scripts)
    request = BotRequest(
        file=files[0],
        more=files[1:],
        replay=replay,
        then=then,
        settings=settings,
        markets=markets,
        fee_bps=fee_bps,
        slippage_bps=slippage_bps,
        history=history or [],
        recordings_folder=_recordings_folder() if AUTO in (history or ()) else None,
        listen=None if listen is None else listening_at(listen),
        held=held,
        held_file=held_file,
        **given,
    )
    _check_relay(request.relay, request.strategy, yes=yes, held=bool(said), replayed=request.replay is not None)
    if request.script_time is not None and request.replay is None:
        raise UsageError("--script-time applies to --replay only: live, the script's time is today's anyway")
    if request.reload and request.replay is not None:
        raise UsageError("--reload does not apply to --replay: two plays of a recording must be equal; play it again")
    check_run(request)
    if not request.as_table():
        check_for_lines(request)
    raise typer.Exit(run_bot(request, Words(quiet=request.quiet), redactor_of_run()))


def _check_names(files: list[Path], strategy: str | None) -> None:
    """Check that each of several scripts has a name of its own, and is not given one for all of them."""
    stems = [file.stem for file in files]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise UsageError(f"expected scripts with a name each, since it is in what they emit; got {twice} twice")
    if len(files) > 1 and strategy is not None:
        raise UsageError("--strategy is the name of one script; each of several has its own")


def _recordings_folder() -> Path:
    """The folder for `--history auto`.

    Raises:
        SetupError: none is set.
    """
    from cli.settings import config

    configured = config.load()
    folder = configured.recordings_folder()
    if folder is None:
        raise SetupError(
            "--history auto takes the recordings of a folder, and none is set: write one as folder under [recordings] "
            f'in {configured.path}, such as folder = "~/recordings", and record into it with --record'
        )
    return folder


def _basis_points(name: str, text: str | None) -> Decimal:
    if text is None:
        return Decimal(0)
    try:
        value = text_number(text, name)
    except BadMessage:
        value = Decimal(-1)
    if not 0 <= value <= MOST_BPS:
        raise UsageError(f'expected --{name}-bps from 0 to {MOST_BPS}, e.g. 7.5, got "{text}"')
    return value


def _check_relay(relay: str | None, strategy: str | None, *, yes: bool, held: bool, replayed: bool) -> None:
    if relay is None:
        for option, given in (("--strategy", strategy is not None), ("--yes", yes), ("--held", held)):
            if given:
                raise UsageError(f"{option} applies to --relay only")
        return
    from cli.bot.hub.relay import HUBS

    if relay not in HUBS:
        raise UsageError(f'expected a hub that takes signals ({", ".join(HUBS)}) as --relay, got "{relay}"')
    if replayed:
        raise UsageError("--relay does not apply to --replay: signals from old prices are never sent")
    if not yes:
        raise UsageError(
            f"expected --yes with --relay {relay}, which sends signals without asking; nothing was started"
        )


def market_named(text: str, env: str | None = None, profile: str | None = None) -> MarketName:
    """A market from `VENUE:SYMBOL`; `env` and `profile` as the run has them.

    Raises:
        UsageError: not of that form, a venue that is unknown or has no markets, or a symbol of the wrong form.
    """
    from cli.bot.market_data import MarketName
    from cli.bot.plan import MARKET_DATA
    from cli.run.asked import check_symbol
    from venues import has_venue, venue_named, venue_names

    venue, colon, symbol = text.partition(":")
    if not colon or not venue or not symbol:
        raise UsageError(f'expected --market VENUE:SYMBOL, e.g. nexus:SPOT_BTC_USDT, got "{text}"')
    if not has_venue(venue):
        raise UsageError(f'expected a venue ({", ".join(venue_names())}) in --market VENUE:SYMBOL, got "{venue}"')
    streams = venue_named(venue).streams
    if not any(name in streams for name in MARKET_DATA):
        raise UsageError(
            f"expected a venue with {', '.join(MARKET_DATA)} in --market VENUE:SYMBOL; {venue} has {', '.join(streams)}"
        )
    check_symbol(venue_named(venue), symbol, env, profile)
    return MarketName(venue, symbol)


def listening_at(text: str) -> tuple[str, int]:
    """Host and port from "8080", "0.0.0.0:8080" or "[::1]:8080". Without a host, this machine only.

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


def _text(metavar: str, words: str) -> tuple[Any, Any]:
    """The type and the option of one text."""
    return str | None, typer.Option(metavar=metavar, help=words)


def _texts(metavar: str, words: str) -> tuple[Any, Any]:
    """Those of several texts, each with the option before it."""
    return list[str] | None, typer.Option(metavar=metavar, help=words, show_default=False)


_OWN: dict[str, tuple[Any, Any]] = {
    "market": (
        list[str] | None,
        typer.Option(
            "--market",
            metavar="VENUE:SYMBOL",
            help="A market that the bot watches; several.",
            autocompletion=complete_market,
            show_default=False,
        ),
    ),
    "replay": (
        list[Path] | None,
        typer.Option(
            "--replay",
            parser=FileParser(),
            metavar="FILE",
            help="Play a recording instead of connecting; several, one after the other.",
            show_default=False,
        ),
    ),
    "history": (
        list[Path] | None,
        typer.Option(
            "--history",
            parser=FileParser(),
            metavar="FILE|auto",
            help="Candles from before the start: a recording, or lines of mon trades or mon candles; several. "
            "auto: what the config file's folder of recordings has.",
        ),
    ),
    "listen": _text(
        "[HOST:]PORT", "Where the bot's own feed and webhooks are; on this machine at any free port when it has routes."
    ),
    "relay": _text("HUB", "Send position signals to a hub as buy and sell signals: nbt; needs --yes."),
    "strategy": _text("NAME", "The strategy's name at the hub; the script's unless said otherwise."),
    "set": _texts(
        "NAME=VALUE",
        "A class attribute of the script, with another value; of several scripts SCRIPT.NAME=VALUE; several.",
    ),
    "script_time": (
        Literal["recording"] | None,
        typer.Option(
            "--script-time",
            help="In a replay, time.time() and datetime.now() of the script tell the recording's time.",
            show_default=False,
        ),
    ),
    "reload": (
        bool,
        typer.Option("--reload", help="Load a script anew when it is saved; live only. Its state is lost."),
    ),
    "report": (
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the summary of the run as JSON too; a file that is there is replaced."
        ),
    ),
    "fee_bps": _text("N", "Fees in the summary, in hundredths of a percent of what is traded."),
    "slippage_bps": _text("N", "How much worse than the market each fill of the summary is, likewise."),
    "held": _texts(
        "VENUE:SYMBOL=POSITION|FILE",
        "What the hub has at the start: long, short or flat; or a file in which the relay keeps it; several. "
        "Of several scripts SCRIPT.VENUE:SYMBOL=POSITION.",
    ),
    "yes": (bool, typer.Option("--yes", help="Signals may be sent: --relay asks nobody.")),
}
_files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        parser=FileParser(),
        help="The script, with its class Signals(Link); several.",
        show_default=False,
    ),
]
take_options(
    run,
    {"files": _files, **{name: Annotated[kind, option] for name, (kind, option) in _OWN.items()}},
    [name for name in options_of_runs() if name not in _OWN],
    {name: False if kind is bool else None for name, (kind, _) in _OWN.items()},
)
app.command(epilog=EXAMPLES, no_args_is_help=True)(run)
