"""The entry: answers `--version` before anything heavy is loaded."""

from __future__ import annotations

import sys

FOREIGN = """\
mon: another distribution's `{name}` package is in the way of mon's own.
     Install mon by itself: uv tool install mon, or pipx install mon
"""


def main() -> None:
    """Run mon; ends the process with one of the documented exit codes."""
    if sys.argv[1:] == ["--version"]:
        _print_version()
        return
    try:
        from cli.interrupts import all_is_done, heed

        heed()
        # First: the decoders' library loads it from C, goes on when Ctrl-C interrupts that, and then crashes.
        import datetime  # noqa: F401

        foreign = _foreign_package()
        if foreign is not None:
            sys.stderr.write(FOREIGN.format(name=foreign))
            sys.exit(1)
        from cli.main import run
    except KeyboardInterrupt:  # while it loads there is nothing to put in order
        sys.exit(130)
    try:
        code = run(sys.argv[1:])
        all_is_done()
    except KeyboardInterrupt:
        code = 130
    if not sys.modules.keys().isdisjoint(("venues.plugins", "cli.bot.runner")):  # code of others may have run
        from cli.output.foreign import end

        end(code)
    sys.exit(code)


def _foreign_package() -> str | None:
    """`cli` and `venues` are common names: another distribution may have put its files over ours."""
    for name in ("cli", "venues"):
        if getattr(__import__(name), "DISTRIBUTION", None) != "mon":
            return name
    return None


def _print_version() -> None:
    from cli.version import VERSION

    try:
        print(f"mon {VERSION}", flush=True)
    except BrokenPipeError:
        # Python would complain about what it still holds for a stdout that nobody reads.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except OSError as error:
        sys.stderr.write(f"mon: cannot write to stdout: {error.strerror}\n")
        import os

        os._exit(1)


if __name__ == "__main__":
    main()
