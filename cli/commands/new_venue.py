"""`mon new-venue`: a complete small package with a venue, to begin one's own with."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import venues
from cli.output.lines import Words
from venues.errors import SetupError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDE = Path(venues.__file__).with_name("README.md")
EXAMPLES = """\b
Examples:
  mon new-venue acme ./mon-acme
"""


def new_venue(
    name: Annotated[str, typer.Argument(help="The venue's name, as in `mon book NAME`: letters a-z and digits.")],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the package is written: a folder that is new, or empty.")
    ],
) -> None:
    """Write a package with a new venue: its entry, session, simulator, a recording and a test."""
    from venues.testing.making import check_name, texts_of

    check_name(name)
    write(folder, texts_of(name))
    Words().say(next_steps(name, folder))


def next_steps(name: str, folder: Path) -> str:
    """What to do with a new package."""
    where = shlex.quote(str(folder if folder.is_absolute() else Path(".") / folder))
    where = where if folder.is_absolute() or where.startswith((".", "'")) else f"./{where}"
    return f"""the package mon-{name} is in {where}. Install it beside mon, with the line that fits:
  python -m pip install --no-deps -e {where}
  pipx inject mon {where}
  uv tool install ./mon --with {where}    (./mon: what mon was installed from)
then try it, and test it (pytest and hypothesis come with mon's extra `testing`):
  mon book {name} BTC-USDT --env sim
  cd {where} && python -m pytest
the guide to change it into your venue is {GUIDE}"""


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a folder that is new or empty: all of them, or none.

    Raises:
        UsageError: there is something already.
        SetupError: they cannot be written.
    """
    try:
        if folder.is_dir():
            if any(folder.iterdir()):
                raise UsageError(f"expected a folder that is new or empty, got {folder}, which has something in it")
        elif folder.exists() or folder.is_symlink():
            raise UsageError(f"expected a folder that is new or empty, got {folder}, which is no folder")
        _write(folder, texts)
    except OSError as error:
        raise SetupError(f"cannot write the package into {folder}: {error.strerror or error}") from error


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes the files beside their place first, and moves them there once all are written."""
    is_new = not folder.is_dir()
    beside = (folder.parent if is_new else folder) / f".mon-new-venue-{os.getpid()}"
    moved: list[Path] = []
    try:
        beside.mkdir()
        for name, text in texts.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if is_new:
            beside.rename(folder)
            return
        for path in sorted(beside.iterdir()):
            moved.append(folder / path.name)
            path.rename(moved[-1])
        beside.rmdir()
    except BaseException:  # also Ctrl-C: nothing half-written is left
        for path in (beside, *moved):
            _remove(path)
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
