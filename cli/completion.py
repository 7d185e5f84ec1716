"""`mon completion`: the script that teaches a shell to complete mon's command line."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from cli.output import print_out

EXAMPLES = """\b
Examples:
  mon completion bash > ~/.local/share/bash-completion/completions/mon
  mon completion zsh > "${fpath[1]}/_mon"
  mon completion fish > ~/.config/fish/completions/mon.fish
"""


# Where each script lies in the project.
FILES = {"bash": "mon.bash", "zsh": "_mon", "fish": "mon.fish", "powershell": "mon.ps1"}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], typer.Argument(show_default=False)],
) -> None:
    """The completion script of a shell."""
    print_out(script(shell))


def script(shell: str) -> str:
    """The script's text, without a newline at its end."""
    text = get_completion_script(prog_name="mon", complete_var="_MON_COMPLETE", shell=shell)
    if shell != "zsh":
        return text
    # zsh reads an autoloaded `_mon` as the body of the function: on the first Tab it must also call what it defines.
    body = text.removesuffix("compdef _mon_completion mon").rstrip()
    return (
        f'{body}\n\nif [ "$funcstack[1]" = "_mon" ]; then\n  _mon_completion "$@"\n'
        f"else\n  compdef _mon_completion mon\nfi"
    )
