"""`mon send`: a trading signal to a hub, once, and only after it was shown and confirmed."""

from __future__ import annotations

import asyncio
import select
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from msgspec import UNSET, Struct, UnsetType

from cli.errors import INTERRUPTED, UNREACHABLE, redactor_of_run
from cli.interrupts import asked_to_end, has_come, run_loop
from cli.output import cells
from cli.output.lines import STDERR, STDIN, STDOUT, JsonLines, Words, is_terminal, write_all
from cli.run.options import DurationParser, complete_environment
from venues import venue_named
from venues.errors import UsageError
from venues.toolkit.written import Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cli.run.sender import Outcome, Sender
    from cli.run.source import Embedded
    from cli.settings.config import Access
    from venues.redaction import Redactor
    from venues.venue import Command

EXAMPLES = """\b
Examples:
  mon send nbt buy --pair BTCUSDT --strategy trend --price 9264.13
  mon send nbt sell --pair BTCUSDT --strategy trend --yes | jq .sent
  mon send nbt --stdin --yes < signals.jsonl
"""

VENUES_WITH_COMMANDS = ("nbt",)
CONNECT_TIMEOUT_MS = 15_000
RETRIES = 2  # before anything is sent: one more try often helps, and a script does not want to wait for long

Fields = dict[str, Any]


class Answer(Struct, kw_only=True):
    """The line on stdout for one signal. `sent` null: nobody knows. Absent: `line` without --stdin, unknown fields."""

    line: int | UnsetType = UNSET
    ok: bool
    kind: str | UnsetType = UNSET
    pair: str | UnsetType = UNSET
    strategy: str | UnsetType = UNSET
    sent: bool | None
    acknowledged: bool
    answered: list[Any] | UnsetType = UNSET
    error: str | UnsetType = UNSET


def answer_to(command: Command | None, kind: str | None, outcome: Outcome, line: int | None = None) -> Answer:
    """What is written about one signal; `command` None where there was none that could be sent."""
    fields = {} if command is None else command.fields
    return Answer(
        line=UNSET if line is None else line,
        ok=outcome.error is None,
        kind=UNSET if kind is None else kind,
        pair=fields.get("pair", UNSET),
        strategy=fields.get("stratname", UNSET),
        sent=outcome.sent,
        acknowledged=outcome.acknowledged,
        answered=list(outcome.answered) if outcome.answered else UNSET,
        error=UNSET if outcome.error is None else outcome.error,
    )


def _complete_venue(incomplete: str) -> list[str]:
    return [name for name in VENUES_WITH_COMMANDS if name.startswith(incomplete)]


def send(
    venue: Annotated[
        str,
        typer.Argument(metavar="VENUE", help="One of: nbt.", autocompletion=_complete_venue, show_default=False),
    ],
    kind: Annotated[
        Literal["buy", "sell", "traded-buy", "traded-sell"] | None,
        typer.Argument(metavar="KIND", help="What is signalled; with --stdin each line says it.", show_default=False),
    ] = None,
    pair: Annotated[str | None, typer.Option(help="The pair, as the hub spells it: BTCUSDT.")] = None,
    strategy: Annotated[str | None, typer.Option(help="The strategy's name at the hub.")] = None,
    price: Annotated[str | None, typer.Option(metavar="NUMBER", help="buy, sell: the price.")] = None,
    message: Annotated[str | None, typer.Option(help="buy: any text.")] = None,
    stop_profit: Annotated[str | None, typer.Option(metavar="PERCENT", help="buy: take the profit there.")] = None,
    stop_loss: Annotated[str | None, typer.Option(metavar="PERCENT", help="buy: stop the loss there.")] = None,
    strategy_id: Annotated[str | None, typer.Option(help="traded-…: the strategy's id at the hub.")] = None,
    trading_type: Annotated[str | None, typer.Option(help="traded-…: as the hub's user_payload has it.")] = None,
    qty: Annotated[str | None, typer.Option(metavar="NUMBER", help="traded-…: the quantity.")] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Signals as JSON lines on stdin, each answered by a line on stdout.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
    timeout: Annotated[
        int,
        typer.Option(
            parser=DurationParser(),
            metavar="DURATION",
            help="For the hub to let us in; 15s unless said otherwise.",
            show_default=False,
        ),
    ] = CONNECT_TIMEOUT_MS,
    env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The hub's environment; sim: the simulator inside mon.",
            autocompletion=complete_environment,
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="A profile of the config file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors with their traceback.")] = False,
) -> None:
    """Send a trading signal to a hub."""
    from venues.nbt.sending import signal_command

    fields: Fields = {
        "pair": pair,
        "strategy": strategy,
        "price": price,
        "message": message,
        "stop_profit": stop_profit,
        "stop_loss": stop_loss,
        "strategy_id": strategy_id,
        "trading_type": trading_type,
        "qty": qty,
    }
    if venue not in VENUES_WITH_COMMANDS:
        raise UsageError(f'expected a venue that takes signals ({", ".join(VENUES_WITH_COMMANDS)}), got "{venue}"')
    desk = Desk(venue, env, profile, timeout / 1000, Words(quiet=quiet), redactor_of_run())
    if stdin:
        _check_stdin(kind, fields, yes=yes)
        from cli.commands.send_lines import send_lines

        raise typer.Exit(run_loop(desk.run(lambda: send_lines(desk))))
    if kind is None:
        raise UsageError(f"expected what to signal: mon send {venue} buy, sell, traded-buy or traded-sell (or --stdin)")
    command = signal_command(kind, fields)
    if not yes and not (is_terminal(STDIN) and is_terminal(STDERR)):
        raise UsageError("expected --yes, since there is no terminal to ask on; nothing was sent")
    raise typer.Exit(run_loop(desk.run(lambda: desk.send_one(kind, command, yes=yes))))


def _check_stdin(kind: str | None, fields: Fields, *, yes: bool) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in fields.items() if value is not None]
    if kind is not None:
        given.insert(0, kind)
    if given:
        raise UsageError(f"expected --stdin or {given[0]}, got both; with --stdin the lines say what is sent")
    if not yes:
        raise UsageError("expected --yes with --stdin, which cannot ask; nothing was sent")


class Desk:
    """One run of `mon send`: where the hub is, the connections to it, and what is said and written."""

    def __init__(
        self, venue: str, env: str | None, profile: str | None, timeout: float, words: Words, redactor: Redactor
    ) -> None:
        """`timeout` in seconds, for a connection."""
        self.timeout = timeout
        self.words = words
        self.redactor = redactor
        self.stopped: asyncio.Future[int] | None = None
        self._venue = venue_named(venue)
        self._env = env
        self._profile = profile
        self._access: Access | None = None
        self._senders: dict[str, Sender] = {}

    async def run(self, work: Callable[[], Awaitable[int]]) -> int:
        """The work, with all in order before and after it; its exit code, or that of the signal that ended it."""
        self.stopped = asyncio.get_running_loop().create_future()
        with asked_to_end(self.stop):
            return INTERRUPTED if has_come() else await self._in_order(work)

    async def _in_order(self, work: Callable[[], Awaitable[int]]) -> int:
        from cli.run.source import Embedded, access_to

        assert self.stopped is not None
        embedded: Embedded = Embedded()
        try:
            self._access = await access_to(self._venue, self._env, self._profile, embedded, self.words.say)
            known = {name: str(source.value) for name, source in self._access.secrets.items() if source.kind == "value"}
            self.redactor.learn(known)  # it may be part of what is shown before anything is opened
            code = await work()
            return self.stopped.result() if self.stopped.done() else code
        finally:
            await self.close()
            await embedded.close()

    def stop(self, code: int) -> None:
        """End as soon as possible, with this exit code; what is underway is told."""
        assert self.stopped is not None
        if not self.stopped.done():
            self.stopped.set_result(code)
        for sender in self._senders.values():
            sender.interrupt()

    def sender(self, kind: str, *, retries: int | None) -> Sender:
        """The connection that a kind of signal goes out on."""
        from cli.run.sender import Sender
        from venues.nbt.sending import KINDS
        from venues.venue import Subscription

        connects_as = KINDS[kind].connects_as
        if connects_as not in self._senders:
            assert self._access is not None
            self._senders[connects_as] = Sender(
                self._venue,
                Subscription("signals", options={"type": connects_as}),
                self._access,
                redactor=self.redactor,
                say=self.words.say,
                retries=retries,
            )
        sender = self._senders[connects_as]
        if self.stopped is not None and self.stopped.done():
            sender.interrupt()
        return sender

    async def close(self) -> bool:
        """Take leave of the hub; whether every connection ended in order."""
        senders, self._senders = self._senders, {}
        results = await asyncio.gather(*(sender.close() for sender in senders.values()))
        return all(results)

    async def send_one(self, kind: str, command: Command, *, yes: bool) -> int:
        """Show it, ask, send it, and tell what became of it."""
        from cli.run.sender import Outcome

        self._show(command, kind, asking=not yes)
        if not yes and not await self._confirmed():
            self.words.error("not sent")
            return INTERRUPTED
        outcome = await self.sender(kind, retries=RETRIES).send(command, self.timeout)
        in_order = await self.close()
        if outcome.error is None and not in_order:
            outcome = Outcome(
                True,
                "it reached the hub, but the connection to it did not end in order",
                UNREACHABLE,
                outcome.acknowledged,
                outcome.answered,
            )
        self._say_outcome(outcome)
        lines = JsonLines(numbers_as_strings=False, to_terminal=is_terminal(STDOUT), redactor=self.redactor)
        lines.write([answer_to(command, kind, outcome)])
        return outcome.code

    def _show(self, command: Command, kind: str, *, asking: bool) -> None:
        from venues.nbt.sending import KINDS

        assert self._access is not None
        sent = Writer().encode({"key": "[key]", **command.fields}).decode()
        where = f"{self._access.settings.url} (type={KINDS[kind].connects_as})"
        say = self.words.error if asking else self.words.say
        say(self.redactor.text(f"{command.name} to {where}:\n{sent}"))

    async def _confirmed(self) -> bool:
        """Whether the answer on the terminal is yes; Ctrl-C, and the end of input, are a no."""
        write_all(STDERR, b"mon: send it? [y/N] ")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def on_answer() -> None:
            if not answered.done():
                answered.set_result(None)

        loop.add_reader(STDIN, on_answer)
        assert self.stopped is not None
        try:
            await asyncio.wait((answered, self.stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(STDIN)
        if self.stopped.done() or not select.select([STDIN], [], [], 0)[0]:
            return False
        return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")

    def _say_outcome(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.words.error(outcome.error)
        elif outcome.acknowledged:
            self.words.say("sent, and acknowledged")
        else:
            self.words.say(f"sent; no acknowledgement within {cells.duration(2000)}, which a hub need not give")
