"""The commands, one line each, loaded when they are used; and how every run ends."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.errors import (
    FAULT,
    INTERRUPTED,
    OK,
    PIPE_CLOSED,
    USAGE,
    exit_code,
    hide_on_stderr,
    redactor_of_run,
    without_secrets,
)
from cli.settings.environment import completion_request, plugins_wanted
from cli.version import VERSION
from venues import FAULT_OF_MON, fault_in, look_for_plugins_if, venues_with
from venues.errors import MonError, UsageError
from venues.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# name → what the help says of it, where it is: `module:function`, or `module:app` of a group.
COMMANDS = {
    "send": ("Send a trading signal to a hub.", "cli.commands.send:send"),
    "bot": ("Run a signal bot on the live streams of any venue.", "cli.bot.command:app"),
    "dash": ("Book, trades and account of a venue on one screen.", "cli.commands.dash:dash"),
    "replay": ("Play a recording.", "cli.commands.replay:replay"),
    "sim": ("Run the simulator of all venues until stopped.", "cli.commands.sim:sim"),
    "check": ("Check a stream for a monitoring system: exit code 0 to 3.", "cli.commands.check:check"),
    "symbols": ("The symbols that a venue has.", "cli.commands.symbols:symbols"),
    "venues": ("The venues and the streams that each has.", "cli.commands.venues:venues"),
    "new-venue": ("Write a package with a venue of your own.", "cli.commands.new_venue:new_venue"),
    "schema": ("The JSON Schema of every line that a stream can print.", "cli.commands.schema:schema"),
    "config": ("Make, show or check the configuration.", "cli.commands.config:app"),
    "help": ("What more than one command has, one text a topic.", "cli.commands.help:help_text"),
    "completion": ("The completion script of a shell.", "cli.commands.completion:completion"),
}

HELP = """Live markets and accounts in the terminal: a table for people, JSON lines for scripts."""

MOST_WORDS = 5_000  # of a command line; the parser takes 3 µs for a symbol, and 33 µs for a short option …
MOST_LETTERS = 200  # … so that those have a limit of their own, for `-v -v` as for `-vv`

EXAMPLES = """\b
Examples:
  mon book kraken BTC/USD
  mon book kraken BTC/USD --env sim
  mon trades kraken BTC/USD | jq -c 'select(.size > 0.5)'
  mon positions b2trader --record positions.jsonl.gz
  mon signals nbt --env sim
  mon dash kraken BTC/USD
  mon venues
"""


class _Commands(TyperGroup):
    """Knows all names and short helps; loads a command only when it is run."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, stream in STREAMS.items():
            self._add(name, f"{stream.title.capitalize()}, live.", hidden=not venues_with(name))
        for name, (help_text, _) in COMMANDS.items():
            self._add(name, help_text)

    def _add(self, name: str, help_text: str, *, hidden: bool = False) -> None:
        self.add_command(TyperCommand(name, help=help_text, short_help=help_text, hidden=hidden))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _loaded(name) if name is not None and command is not None else command, rest


def _loaded(name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    if name in STREAMS:
        from cli.run.options import stream_function
        from cli.run.venue_options import StreamCommand

        app.command(name, cls=StreamCommand, no_args_is_help=True)(stream_function(name, watch_request))
    else:
        module, _, attribute = COMMANDS[name][1].partition(":")
        loaded = import_module(module)
        target = getattr(loaded, attribute)
        if isinstance(target, typer.Typer):
            return typer.main.get_command(target)
        kind = getattr(loaded, "COMMAND", TyperCommand)
        app.command(name, cls=kind, epilog=getattr(loaded, "EXAMPLES", None))(target)
    return typer.main.get_command(app)


def watch_request(request: Any) -> None:
    """Watch one stream, then end with its exit code."""
    from cli.output.lines import Words, prints_go_to_stderr
    from cli.run.watch import watch

    with prints_go_to_stderr():
        code = watch(request, Words(quiet=request.quiet), redactor_of_run())
    raise typer.Exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line, and return its exit code."""
    _open_missing_descriptors()
    hide_on_stderr()
    look_for_plugins_if(plugins_wanted, _nothing_on_stdout)
    try:
        asked = completion_request()
        if asked is not None:
            from cli.commands.completion import answer

            return answer(*asked, _app)
        return _ending(lambda: _called(arguments), arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _called(arguments: Sequence[str]) -> Any:
    check_words(arguments)
    return _app()(list(arguments), prog_name="mon", standalone_mode=False)


def check_words(words: Sequence[str]) -> None:
    """Check that a command line is not so long that only parsing it would take a while.

    Raises:
        UsageError: it has too many words, or short options.
    """
    if len(words) > MOST_WORDS:
        raise UsageError(
            f"expected at most {MOST_WORDS:,} words in a command line, got {len(words):,}: "
            "give the rest of them to another mon"
        )
    letters = sum(len(word) - 1 for word in words if word.startswith("-") and not word.startswith("--"))
    if letters > MOST_LETTERS:
        raise UsageError(f"expected at most {MOST_LETTERS:,} short options in a command line, got {letters:,}")


def _nothing_on_stdout() -> Any:
    from cli.output.foreign import nothing_on_stdout

    return nothing_on_stdout()


def _ending(call: Callable[[], Any], arguments: Sequence[str]) -> int:
    """The exit code of a call. What was not asked for is told on stderr."""
    from cli.output.lines import LONGEST_WORDS, ReaderGone, Words, abandon_stdout

    words = Words()
    try:
        code = call()
        sys.stdout.flush()
    except typer.TyperException as error:
        return error.tells() if hasattr(error, "tells") else _usage_error(error, words)
    except ReaderGone:
        abandon_stdout()
        return PIPE_CLOSED
    except (OSError, SystemExit) as error:
        if fault_in(error) == FAULT_OF_MON:
            return _ended_by(error, words)
        words.error(_last_words(error, verbose=_wants_traceback(arguments)))
        return FAULT
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        if hasattr(error, "tells"):  # a command with exit codes of its own
            return int(error.tells())
        names = sum(len(symbol) + 2 for symbol in getattr(error, "symbols", ()))  # all refused symbols are said
        words.error(_last_words(error, verbose=_wants_traceback(arguments)), LONGEST_WORDS + names)
        return exit_code(error)
    return code if isinstance(code, int) else OK


def _ended_by(error: OSError | SystemExit, words: Any) -> int:
    """The exit code for stdout that cannot be written to, or for an end by Typer."""
    from cli.output.lines import abandon_stdout

    if isinstance(error, SystemExit):
        # This is how Typer ends a completion, and a help that nobody reads any more when stdout is wrapped.
        if sys.stdout.__class__.__name__ != "PacifyFlushWrapper":
            return error.code if isinstance(error.code, int) else OK
        abandon_stdout()
        return PIPE_CLOSED
    abandon_stdout()
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    words.error(f"cannot write to stdout: {error.strerror or error}")
    return FAULT


def _usage_error(error: Any, words: Any) -> int:
    message = without_secrets(_with_what_came(error)).replace(": Value error, ", ": ")
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(message + "\n")
        return USAGE
    hint = f"\ntry: {context.command_path} --help" if context is not None else ""
    words.error(message + hint)
    return int(error.exit_code)


def _with_what_came(error: Any) -> str:
    """The error's text with what was typed: for numbers, Typer's library says only what it expected."""
    message: str = error.format_message()
    problems: list[Any] = getattr(error.__cause__, "errors", list)()
    if not problems or not problems[0]["msg"].startswith("Input should be "):
        return message
    from venues.toolkit.decoding import excerpt

    expected = problems[0]["msg"].removeprefix("Input should be ").partition(",")[0]
    kind = "" if expected.startswith("a ") else "a number "
    came = excerpt(str(problems[0]["input"]), 60)
    return message.replace(problems[0]["msg"], f'expected {kind}{expected}, got "{came}"')


def _last_words(error: BaseException, *, verbose: bool) -> str:
    known = isinstance(error, MonError) or exit_code(error) != FAULT
    whose = fault_in(error)
    text = str(error) if known else f"{whose}: {type(error).__name__}: {error}"
    text = without_secrets(text)
    if verbose:
        import traceback

        # One part after the other: a secret that was cut is found in short texts only.
        text += "\n" + "".join(map(without_secrets, traceback.format_exception(error)))
    elif not known:
        to_whom = "" if whose == FAULT_OF_MON else " to its author"
        text += f"\nrun it again with -v for the traceback, and please report it{to_whom}"
    return text


def _wants_traceback(arguments: Sequence[str]) -> bool:
    return any(argument in ("-v", "--verbose", "-qv", "-vq") for argument in arguments)


def _app() -> Any:
    app = typer.Typer(
        cls=_Commands,
        add_completion=False,  # `mon completion` has better scripts, and cli.commands.completion quicker answers
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=HELP, epilog=EXAMPLES)(_top)
    return typer.main.get_command(app)


def _top(
    version: bool = typer.Option(False, "--version", help="Show the version and end.", is_eager=True),
) -> None:
    if version:
        from cli.output.lines import print_out

        print_out(f"mon {VERSION}")
        raise typer.Exit(OK)


def _open_missing_descriptors() -> None:
    """A stdin, stdout or stderr that was closed must not become our socket or our pipe.

    Data that has nowhere to go is an error, as it would be on the closed stdout; words are not.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))
