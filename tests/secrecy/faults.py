"""Faults that are put into a run on purpose.

Those of `CRASHES` are faults that `mon` may have one day, each with a secret in its text: it must tell of them without.
Those of `LEAKS` are the leaks that this room is about, made on purpose: the search has to find each of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Asked = Mapping[str, Any]
Fault = Callable[[Asked], None]


def _known(asked: Asked) -> str:
    """The secrets that this process holds before it has fetched one: those that were set as they are."""
    ways = (" as variable", " as name", "user", "password")
    return " ".join(marked for place, marked in asked["marks"].items() if place.endswith(ways))


def _raise(what: str) -> None:
    raise RuntimeError(what)


def _in_access(asked: Asked) -> None:
    from cli.settings.config import Config

    def access(self: Config, *_: Any, **__: Any) -> Any:
        try:
            return _raise(f"cannot make anything of {self.data}")
        except RuntimeError as error:
            raise ValueError(_known(asked)) from error

    Config.access = access  # type: ignore[method-assign]


def _in_obtaining(asked: Asked) -> None:
    from cli.settings import credentials

    obtain = credentials.obtain

    def broken(*given: Any) -> str:
        text = obtain(*given)
        raise RuntimeError(f"what is {text}?")

    credentials.obtain = broken


def _in_the_session(asked: Asked) -> None:
    from venues.driver import Driver

    def begin(self: Driver, secrets: Mapping[str, str], draw: float) -> Any:
        raise RuntimeError(f"no session with {secrets} and {'x' * 5000} {list(secrets.values())}")

    Driver.begin = begin  # type: ignore[method-assign]


def _beside_the_session(say: Callable[[str], None]) -> Fault:
    def put(asked: Asked) -> None:
        from venues.driver import Driver

        begin = Driver.begin

        def begin_and_tell(self: Driver, secrets: Mapping[str, str], draw: float) -> Any:
            say(f"something is wrong with {' '.join(secrets.values())}")
            return begin(self, secrets, draw)

        Driver.begin = begin_and_tell  # type: ignore[method-assign]

    return put


def _in_a_thread(text: str) -> None:
    thread = threading.Thread(target=_raise, args=(text,))
    thread.start()
    thread.join()


def _in_a_task(text: str) -> None:
    async def fail() -> None:
        _raise(text)

    asyncio.get_running_loop().create_task(fail())


def _in_a_callback(text: str) -> None:
    asyncio.get_running_loop().call_soon(lambda: _raise(text))  # of an argument the loop would show the ends


class _Falls:
    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        _raise(self._text)


def _in_the_garbage(text: str) -> None:
    _Falls(text)


def _in_the_log(text: str) -> None:
    logging.getLogger("websockets.client").warning("strange: %s", text)
    logging.getLogger("aiohttp").error("stranger", exc_info=ValueError(text))


def _in_a_warning(text: str) -> None:
    import warnings

    warnings.warn(text, RuntimeWarning, stacklevel=1)


CRASHES: Mapping[str, Fault] = {
    "crash: before anything is known": _in_access,
    "crash: while a secret is obtained": _in_obtaining,
    "crash: in the session": _in_the_session,
    "crash: in a thread": _beside_the_session(_in_a_thread),
    "crash: in a task that nobody awaits": _beside_the_session(_in_a_task),
    "crash: in a callback of the loop": _beside_the_session(_in_a_callback),
    "crash: in an object that goes": _beside_the_session(_in_the_garbage),
    "a library logs": _beside_the_session(_in_the_log),
    "a library warns": _beside_the_session(_in_a_warning),
}


# --- leaks on purpose ----------------------------------------------------------------------------------------------


def _print_settings(asked: Asked) -> None:
    from cli.settings.config import Config

    access = Config.access

    def shown(self: Config, *given: Any, **more: Any) -> Any:
        os.write(1, repr(self.data).encode())
        return access(self, *given, **more)

    Config.access = shown  # type: ignore[method-assign]


def _print_variables(asked: Asked) -> None:
    os.write(2, repr(dict(os.environ)).encode())


def _record_as_it_is(asked: Asked) -> None:
    from venues import recording
    from venues.redaction import Redactor

    init = recording.Recorder.__init__

    def without_redactor(self: Any, path: Path, header: Any, redactor: Redactor, *given: Any) -> None:
        init(self, path, header, Redactor(), *given)

    recording.Recorder.__init__ = without_redactor  # type: ignore[method-assign]


def _show_as_it_is(asked: Asked) -> None:
    from venues.redaction import Redactor

    Redactor.text = lambda self, text: text  # type: ignore[method-assign]


def _show_beginnings(asked: Asked) -> None:
    from venues.redaction import Redactor

    Redactor.text = lambda self, text: text  # type: ignore[method-assign]
    Redactor.learn_url = lambda self, url, shown: None  # type: ignore[method-assign]


def _secret_in_the_words_of_a_program(text: str) -> None:
    subprocess.run(["/bin/true", f"--token={text}"], check=True)


def _variables_for_commands(asked: Asked) -> None:
    from cli.settings import credentials

    credentials.without_secrets = lambda: dict(os.environ)  # type: ignore[assignment]


def _open_for_all(asked: Asked) -> None:
    os.fchmod = lambda descriptor, mode: None  # type: ignore[assignment]
    opened = os.open

    def readable(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        return opened(path, flags, 0o644 if flags & os.O_CREAT else mode, **more)

    os.open = readable  # type: ignore[assignment]


def _traceback_as_it_is(asked: Asked) -> None:
    from cli import main
    from cli.output import lines

    for module in (main, lines):
        module.without_secrets = lambda text: text  # type: ignore[attr-defined]
    _in_the_session(asked)


def _spill(text: str) -> None:
    path = Path(os.environ["HOME"], ".cache", "mon", "spill")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(text.encode())


def _spill_elsewhere(text: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="mon-secrecy-", dir="/dev/shm", delete=False) as file:
        file.write(text.encode())


def _title(text: str) -> None:
    os.write(1, f"\x1b]0;mon {text}\x07".encode())


def _broken_over_lines(text: str) -> None:
    os.write(2, "\r\n".join(text[at : at + 13] for at in range(0, len(text), 13)).encode())


def _in_base64(text: str) -> None:
    import base64

    os.write(2, base64.b64encode(f"user:{text}".encode()))


LEAKS: Mapping[str, Fault] = {
    "leak: prints its settings": _print_settings,
    "leak: prints its variables": _print_variables,
    "leak: a recording as it came": _record_as_it_is,
    "leak: text as it came": _show_as_it_is,
    "leak: addresses as they are": _show_beginnings,
    "leak: a secret in the words of a program": _beside_the_session(_secret_in_the_words_of_a_program),
    "leak: variables for secret commands": _variables_for_commands,
    "leak: files of mode 644": _open_for_all,
    "leak: a traceback as it is": _traceback_as_it_is,
    "leak: a file below the home": _beside_the_session(_spill),
    "leak: a file elsewhere": _beside_the_session(_spill_elsewhere),
    "leak: the title of the window": _beside_the_session(_title),
    "leak: cut over several lines": _beside_the_session(_broken_over_lines),
    "leak: in base64": _beside_the_session(_in_base64),
}

# What is said of each: a word of where it must be found.
FOUND_AS: Mapping[str, str] = {
    "leak: prints its settings": "is in stdout",
    "leak: prints its variables": "is in stderr",
    "leak: a recording as it came": "is in ~/made.jsonl",
    "leak: text as it came": "is in std",
    "leak: addresses as they are": "is in ~/made.jsonl",
    "leak: a secret in the words of a program": "is in the words or the environment of a program",
    "leak: variables for secret commands": "is in the words or the environment of a program",
    "leak: files of mode 644": "is made with mode 644",
    "leak: a traceback as it is": "is in stderr",
    "leak: a file below the home": "is in ~/.cache/mon/spill",
    "leak: a file elsewhere": "is in /dev/shm/",
    "leak: the title of the window": "is in terminal",
    "leak: cut over several lines": "is in stderr",
    "leak: in base64": "is in stderr",
}

FAULTS: Mapping[str, Fault] = {**CRASHES, **LEAKS}
