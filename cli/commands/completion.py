"""`mon completion`: the scripts that teach shells to complete mon's command line, and the answers that they ask for.

A script runs `mon` with `_MON_COMPLETE=complete_<shell>` and the words up to the cursor in `COMP_WORDS`; `answer` tells
it what may come next. Typer's own answer parses the line as if it were run, which alone imports pydantic for a tenth of
a second and rich for the descriptions: here the parameters are only looked at.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.errors import USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

EXAMPLES = """\b
Examples:
  mon completion bash > ~/.local/share/bash-completion/completions/mon
  mon completion zsh > "${fpath[1]}/_mon"
  mon completion fish > ~/.config/fish/completions/mon.fish
"""

# Where each script lies in the project.
FILES = {"bash": "mon.bash", "zsh": "_mon", "fish": "mon.fish", "powershell": "mon.ps1"}

# The whole answer where the name of a file is expected: the shell knows best what files there are.
FILE_NAMES = ":files"

LONGEST_DESCRIPTION = 60

_BASH = r"""
# bash completion of mon, written by `mon completion bash`.

_mon_completion() {
    local program=${1:-mon} word=${COMP_WORDS[COMP_CWORD]} answer line
    program=${program/#\~\//$HOME/}
    type -P -- "$program" >/dev/null || program=mon
    # Of the word under the cursor, only what is before the cursor.
    [[ -n ${2-} && $word == "$2"* ]] && word=$2
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}" "$word")
    local IFS=$'\n'
    answer=$(env COMP_WORDS="${words[*]}" COMP_CWORD="$COMP_CWORD" _MON_COMPLETE=complete_bash \
        "$program" 2>/dev/null </dev/null)
    COMPREPLY=()
    if [[ $answer == :files ]]; then
        compopt -o default 2>/dev/null && return
        answer=$(compgen -f -- "${word#[\"\']}")
    fi
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("$line")
    done <<<"$answer"
    return 0
}

complete -F _mon_completion mon
"""

# An autoloaded `_mon` is read as the body of a function: on the first Tab it must also call what it defines.
_ZSH = r"""
#compdef mon
# zsh completion of mon, written by `mon completion zsh`: a file `_mon` in $fpath, or sourced after compinit.

_mon_completion() {
  local program=${~${(Q)words[1]}}
  local -a line answer
  whence -p -- "$program" >/dev/null || program=mon
  # Of the word under the cursor, only what is before the cursor.
  line=("${(@)words[1,CURRENT-1]}" "$QIPREFIX$IPREFIX$PREFIX")
  answer=(${(f)"$(env COMP_WORDS="${(pj:\n:)line}" COMP_CWORD=$((CURRENT - 1)) _MON_COMPLETE=complete_zsh \
    "$program" 2>/dev/null </dev/null)"})
  if [[ $answer[1] == :files ]]; then
    [[ $PREFIX == -*=* ]] && compset -P 1 '*='
    _files
  elif (( $#answer )); then
    _describe mon answer
  else
    return 1
  fi
}

if [[ $funcstack[1] == _mon ]]; then
  _mon_completion "$@"
else
  compdef _mon_completion mon
fi
"""

_FISH = r"""
# fish completion of mon, written by `mon completion fish`.

function __mon_completion
    set -l program (string replace -r -- '^~/' "$HOME/" (commandline -opc)[1])
    command -q $program; or set program mon
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx _MON_COMPLETE complete_fish
    set -l answer (command $program 2>/dev/null </dev/null)
    if test "$answer[1]" = :files
        set -l word (commandline -ct)
        # --record=FILE: the completion is the whole word.
        if set -l parts (string match -r -- '^(-[^=]*=)(.*)$' $word)
            complete -C "'' $parts[3]" | string replace -r -- '^' $parts[2]
        else
            complete -C "'' $word"
        end
    else if set -q answer[1]
        printf '%s\n' $answer
    end
end

complete --command mon --erase
complete --command mon --no-files --arguments '(__mon_completion)'
"""

# Where the answer is empty, PowerShell offers the names of files by itself.
_POWERSHELL = r"""
# PowerShell completion of mon, written by `mon completion powershell`; dot-source it in your $PROFILE.

Register-ArgumentCompleter -Native -CommandName mon -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $Env:COMP_WORDS = $commandAst.ToString().PadRight($length).Substring(0, $length)
    $Env:_MON_COMPLETE = 'complete_powershell'
    try {
        mon 2>$null | ForEach-Object {
            $value, $description = $_ -split "`t", 2
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $description)
        }
    }
    finally {
        Remove-Item Env:COMP_WORDS, Env:_MON_COMPLETE
    }
}
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], typer.Argument(metavar="SHELL", show_default=False)],
) -> None:
    """The completion script of a shell."""
    from cli.output.lines import print_out

    print_out(script(shell))


def script(shell: str) -> str:
    """The script's text, without a newline at its end; zsh wants `#compdef` in the very first line."""
    return _SCRIPTS[shell].strip()


def answer(instruction: str, environ: Mapping[str, str], root: Callable[[], Any]) -> int:
    """Answer a shell on stdout; the exit code.

    `root` makes the command of the whole command line. Whatever was typed, and whatever goes wrong, nothing is said
    that a shell would show in the middle of what somebody types: there is just nothing to complete.
    """
    verb, _, shell = instruction.partition("_")
    if verb != "complete" or shell not in _SCRIPTS:
        expected = ", ".join(f"complete_{known}" for known in _SCRIPTS)
        sys.stderr.write(f'mon: expected {expected} in _MON_COMPLETE, got "{instruction}"\n')
        return USAGE
    try:
        text = "".join(f"{line}\n" for line in lines(shell, environ, root()))
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")
        sys.stdout.write(text)
        sys.stdout.flush()
    except Exception:
        from cli.output.lines import abandon_stdout

        abandon_stdout()
    return 0


def lines(shell: str, environ: Mapping[str, str], root: Any) -> list[str]:
    """The answer as the shell's script reads it."""
    line = _line(shell, environ)
    found = candidates(root, line.words, line.incomplete) if not line.redirected else None
    if found is None:
        return [] if shell == "powershell" else [FILE_NAMES]
    match shell:
        case "bash":
            return [_in_bash(line, value) for value, _ in found]
        case "zsh":
            escaped = ((re.sub(r"([\\:])", r"\\\1", value), description) for value, description in found)
            return [":".join(part for part in pair if part) for pair in escaped]
        case "fish":
            return ["\t".join(part for part in pair if part) for pair in found]
        case _:
            # The description of a CompletionResult must not be empty.
            whole = [pair for pair in found if not re.search(r"[\s\"']", pair[0])]  # it would replace the quotes too
            return [f"{value}\t{description or value}" for value, description in whole]


def _in_bash(line: _Line, value: str) -> str:
    """What bash puts in the place of what was typed: that as it stands there, with its escapes, and the rest."""
    if line.typed is None or not value.startswith(line.incomplete):
        return value[line.kept :]
    return line.typed + value[len(line.incomplete) :]


# --- what was typed ------------------------------------------------------------------------------------------------


@dataclass
class _Line:
    """The words after the program's name, without quotes and redirections, and the one that is being typed.

    `kept`: how much of the incomplete word bash leaves alone, as it is before a `=` or `:` that breaks words there.
    `typed`: in bash what a completion takes the place of, as it stands there. `redirected`: the incomplete word is
    where output goes to or input comes from.
    """

    words: list[str]
    incomplete: str
    kept: int = 0
    typed: str | None = None
    redirected: bool = False


_CURSOR = "\0"  # marks where the cursor is; no environment variable can contain it
_REDIRECTION = re.compile(r"[0-9]*(?:&>>?|>>|>\||>&|>|<)(.*)", re.DOTALL)


def _line(shell: str, environ: Mapping[str, str]) -> _Line:
    text = environ["COMP_WORDS"]
    if shell in ("bash", "zsh"):
        index = int(environ["COMP_CWORD"])
        words = [" ".join(_split(word)) for word in text.split("\n")] if "\n" in text else _split(text)
        before, incomplete = words[:index], words[index] if index < len(words) else ""
    else:
        *before, incomplete = _split(text.replace("\\\n", " ") + _CURSOR)
        incomplete = incomplete.removesuffix(_CURSOR)
    line = _Line(before[1:], incomplete)
    if shell == "bash":
        if "\n" in text and index == len(words) - 1:
            line.typed = _behind_open_quote(text.split("\n")[-1])
        _join_broken(line)
    _drop_redirections(line)
    return line


def _split(text: str) -> list[str]:
    """Words as a shell would see them; a quote that is still open ends with the text."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        while (word := lexer.get_token()) is not None:
            words.append(word)
    except ValueError:
        words.append(lexer.token)
    return words


def _behind_open_quote(word: str) -> str:
    """A word as it was typed; bash keeps a quote that is still open, and what is before it."""
    quote, start, at = "", 0, 0
    while at < len(word):
        sign = word[at]
        if sign == "\\" and quote != "'":
            at += 1
        elif not quote and sign in "\"'":
            quote, start = sign, at + 1
        elif sign == quote:
            quote, start = "", 0
        at += 1
    return word[start:]


def _join_broken(line: _Line) -> None:
    """bash gives `--env=sim` as three words: `--env`, `=`, `sim`."""
    typed = "" if _breaks(line.incomplete) else line.incomplete
    line.typed = line.typed and typed and line.typed
    joined: list[str] = []
    glue = False
    for word in (*line.words, line.incomplete):
        if joined and (glue or _breaks(word)):
            joined[-1] += word
        else:
            joined.append(word)
        glue = _breaks(word)
    line.words, line.incomplete = joined[:-1], joined[-1]
    line.kept = len(line.incomplete) - len(typed)


def _breaks(word: str) -> bool:
    return bool(word) and not word.strip("=:")


def _drop_redirections(line: _Line) -> None:
    kept: list[str] = []
    target_follows = False
    for word in line.words:
        if target_follows:
            target_follows = False
        elif match := _REDIRECTION.fullmatch(word):
            target_follows = not match[1]
            # bash breaks `2>` in two; a number after an option is more likely its value.
            if word[0] in "<>" and kept and kept[-1].isdigit() and not kept[-2:][0].startswith("-"):
                kept.pop()
        else:
            kept.append(word)
    line.words = kept
    line.redirected = target_follows or _REDIRECTION.fullmatch(line.incomplete) is not None


# --- what may come next --------------------------------------------------------------------------------------------


def candidates(root: Any, words: Sequence[str], incomplete: str) -> list[tuple[str, str]] | None:
    """What may stand where the incomplete word is, each with a short description; None for the name of a file.

    `words` are those before it, without the program's name.
    """
    place = _Place(root, None, "mon")
    for word in words:
        following = place.after(word)
        if following is None:
            return []
        place = following
    return place.candidates(incomplete)


class _Place:
    """A place in a command line: the command that it belongs to, and what the words before it have used up."""

    def __init__(self, command: Any, parent: Any, name: str) -> None:
        self._command = command
        self._context = typer.Context(command, parent=parent, info_name=name, resilient_parsing=True)
        parameters = command.get_params(self._context)
        self._arguments = [one for one in parameters if one.param_type_name == "argument"]
        self._know_options(venue=None)
        self._given: set[str] = set()
        self._awaiting: Any = None  # the option whose value is the next word
        self._no_more_options = False

    def after(self, word: str) -> _Place | None:
        """The place after one more word; None after a command that does not exist."""
        if self._awaiting is not None:
            self._keep(self._awaiting, word)
            self._awaiting = None
        elif self._no_more_options or not word.startswith("-") or word == "-":
            return self._after_argument(word)
        elif word == "--":
            self._no_more_options = True
        else:
            self._after_option(word)
        return self

    def _after_argument(self, word: str) -> _Place | None:
        if hasattr(self._command, "resolve_command"):
            name, command, _ = self._command.resolve_command(self._context, [word])
            return None if command is None else _Place(command, self._context, name)
        argument = self._next_argument()
        if argument is None:
            return self
        values = self._context.params
        if argument.nargs == 1:
            values[argument.name] = word
            self._arguments.remove(argument)
            if argument.name == "venue" and self._has_options_of_venues():
                from cli.run.venue_options import learn_quietly

                learn_quietly(self._command, word)
                self._know_options(venue=word)
        else:
            values[argument.name] = [*values.get(argument.name, ()), word]
        return self

    def _know_options(self, venue: str | None) -> None:
        """The options that a word may be, and those that are offered: one of single venues where its venue is known."""
        parameters = self._command.get_params(self._context)
        known = [one for one in parameters if one.param_type_name == "option"]
        self._named = {name: one for one in known for name in (*one.opts, *one.secondary_opts)}
        if self._has_options_of_venues():
            known = [one for one in known if not self._command.is_own(one) or self._command.has_option(venue, one)]
        self._options = known

    def _has_options_of_venues(self) -> bool:
        """Whether it is a `VenueOptionsCommand`; asked without loading what that is where no such command is loaded."""
        return hasattr(self._command, "take_options_of")

    def _after_option(self, word: str) -> None:
        name, joined, value = word.partition("=")
        if word.startswith("--"):
            option = self._named.get(name)
            self._use(option)
            if joined and _takes_value(option):
                self._keep(option, value)
            self._awaiting = option if _takes_value(option) and not joined else None
            return
        for at, letter in enumerate(word[1:], start=2):
            option = self._named.get(f"-{letter}")
            self._use(option)
            if _takes_value(option):
                self._awaiting = option if at == len(word) else None
                return

    def _keep(self, option: Any, value: str) -> None:
        """Note the value of an option: which symbols there are depends on `--env`."""
        if not option.multiple:
            self._context.params[option.name] = value

    def _use(self, option: Any) -> None:
        if option is not None and not option.multiple:
            self._given.add(option.name)

    def _next_argument(self) -> Any:
        return self._arguments[0] if self._arguments else None

    def candidates(self, incomplete: str) -> list[tuple[str, str]] | None:
        """What may stand at this place; None for the name of a file."""
        if self._awaiting is not None:
            return self._values(self._awaiting, incomplete)
        if incomplete.startswith("-") and not self._no_more_options:
            return self._options_or_value(incomplete)
        if hasattr(self._command, "list_commands"):
            return list(self._commands(incomplete))
        argument = self._next_argument()
        return [] if argument is None else self._values(argument, incomplete)

    def _options_or_value(self, incomplete: str) -> list[tuple[str, str]] | None:
        name, joined, _ = incomplete.partition("=")
        prefix = name + joined if incomplete.startswith("--") else incomplete[:2]
        option = self._named.get(prefix.removesuffix("="))
        if joined or (option is not None and len(prefix) == 2 and len(incomplete) > 2):
            found = self._values(option, incomplete[len(prefix) :]) if _takes_value(option) else []
            return found and [(prefix + value, description) for value, description in found]
        return [
            (name, _short(option.help or ""))
            for option in self._options
            if not option.hidden and option.name not in self._given
            for name in (*option.opts, *option.secondary_opts)
            if name.startswith(incomplete)
        ]

    def _commands(self, incomplete: str) -> Iterator[tuple[str, str]]:
        for name in self._command.list_commands(self._context):
            command = self._command.get_command(self._context, name)
            if name.startswith(incomplete) and not command.hidden:
                yield name, _short(command.get_short_help_str(limit=200))

    def _values(self, parameter: Any, incomplete: str) -> list[tuple[str, str]] | None:
        kind = parameter.type_descriptor
        if kind.is_path or kind.is_file or getattr(kind.parameter_info.parser, "names_files", False):
            return None
        found = parameter.shell_complete(self._context, incomplete)
        return [(item.value, _short(item.help or "")) for item in found]


def _takes_value(option: Any) -> bool:
    return option is not None and not (option.is_flag or option.count)


def _short(text: str) -> str:
    """The first statement of a help text, in one line, and no more of it than fits."""
    text = re.split(r"[;.] ", " ".join(text.split()), maxsplit=1)[0].removesuffix(".")
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    # An open bracket, what follows the last comma or colon, the last word: whatever is longest goes.
    return re.sub(r"(?: \([^)]*|[,:] [^,:]*| \S*)$", "", text[: LONGEST_DESCRIPTION - 1]) + "…"
