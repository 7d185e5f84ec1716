"""Every command of `mon`, as a person types it; what the world does to it; and the runs that come of both.

A later issue adds its commands to `COMMANDS`, one line each. A test compares the list with the commands that there
are, and fails when one is missing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.secrecy import faults, places
from tests.secrecy.places import Home
from tests.secrecy.runs import SERVES, Case, Stage
from venues import VENUES
from venues.streams import STREAMS

# {venue}, {symbol}, {stream}: all that fit. {market}: a venue that a bot can watch, with its example.
STREAM = "{stream} {venue} {symbol} -v --retries 0"
MADE = "{home}/made"
SIGNAL = "buy --pair BTCUSDT --strategy trend --price 9264.13"
SIGNAL_LINE = '{"kind":"buy","pair":"BTCUSDT","strategy":"trend","price":9264.13}\n'


@dataclass(frozen=True)
class Command:
    """A command line. `keys`: on a terminal, what is waited for and what is typed then. `ends`: it is interrupted."""

    line: str
    keys: tuple[tuple[str, str], ...] | None = None
    stdin: str = ""
    ends: bool = False
    codes: tuple[int, ...] = (0, 3, 4, 5, 6)

    @property
    def talks(self) -> bool:
        """Whether it speaks with a venue."""
        return "{venue}" in self.line or "{market}" in self.line or self.line.startswith("send")


COMMANDS: Sequence[Command] = (
    # streams
    Command(STREAM + " --timeout 3s --count 3"),
    Command(STREAM + " --timeout 3s --count 8 --raw --record " + MADE + ".jsonl.gz"),
    Command(STREAM + " --timeout 3s --count 2 -o csv --record " + MADE + ".jsonl --status stderr"),
    Command(STREAM + " --timeout 2s --duration 500ms -o table", keys=()),
    Command(STREAM + " --timeout 3s --count 2 --env sim"),
    Command(STREAM + " --timeout 3s --count 2 --where received>0 --on received>0 --exec env --exec-timeout 2s"),
    Command(STREAM + " --timeout 2s --until received>0 --fields time,received,venue -o tsv"),
    Command(STREAM + " --timeout 2s --count 2 --template {symbol}{state}{reason}"),
    Command("check {stream} {venue} {symbol} -v --timeout 2s -c received<0 -w received<0", codes=(0, 1, 2, 3)),
    Command("check {stream} {venue} {symbol} --timeout 2s --format json", codes=(0, 1, 2, 3)),
    Command("check {stream} {venue} {symbol} --timeout 2s --format prometheus --outfile " + MADE, codes=(0, 1, 2, 3)),
    Command("dash {venue} {symbol} -v --retries 0 --duration 500ms --record " + MADE + ".jsonl", keys=()),
    # what is sent
    Command(f"send nbt {SIGNAL} --yes -v --timeout 3s"),
    Command(f"send nbt {SIGNAL} -v --timeout 3s", keys=(("[y/N]", "y\n"),)),
    Command(
        "send nbt --stdin --yes -v --timeout 3s",
        stdin=SIGNAL_LINE + '{"kind":"no"}\n' + SIGNAL_LINE,
        codes=(0, 2, 3, 4, 5),
    ),
    Command(
        "bot run {home}/own/bot.py --market {market} --relay nbt --yes --listen 0 -v --retries 0 --duration 700ms"
        " --timeout 3s --record " + MADE + ".jsonl",
    ),
    Command("bot run {home}/own/bot.py --market {market} --listen 0 -v --retries 0 --duration 500ms", keys=()),
    Command(
        "bot run {home}/own/bot.py --market {market} --relay nbt --yes --held " + MADE + ".held.json --set SIZE=0.5 -v"
        " --retries 0 --duration 700ms --timeout 3s --report " + MADE + ".json",
    ),
    Command(
        "bot run {home}/own/bot.py {home}/own/other.py --market {market} --listen 0 -v --retries 0 --duration 500ms"
        " --set other.NAME=x --report " + MADE + ".json",
    ),
    # what is asked of a venue, or of nobody
    Command("symbols {venue} -v --timeout 3s", codes=(0, 2, 3, 4, 5, 6)),
    Command("venues"),
    Command("venues -o jsonl"),
    Command("replay {home}/own/recording.jsonl -v --speed max"),
    Command("bot run {home}/own/bot.py --replay {home}/own/recording.jsonl -v --speed max"),
    Command(
        "bot run {home}/own/bot.py {home}/own/other.py --replay {home}/own/recording.jsonl -v --speed max --fee-bps 5"
        " --set bot.SIZE=0.5 --report " + MADE + ".json"
    ),
    Command("bot run {home}/own/bot.py --replay {home}/own/recording.jsonl --set SISE=1", codes=(2,)),
    Command("replay {home}/own/no.jsonl -v"),
    Command("schema book"),
    Command("help conditions"),
    Command("new-venue moon {home}/made-venue"),
    Command("sim --show-env --port 9999"),
    Command("sim --trades 1m --out " + MADE + ".jsonl"),
    Command("sim --port 0", ends=True, codes=(0, 130)),
    Command("completion bash"),
    Command("completion zsh"),
    # the configuration
    Command("config init", codes=(0, 3)),
    Command("config show"),
    Command("config path"),
    Command("config check"),
    Command("config check --connect", codes=(0, 3, 4, 5)),
    Command("config check {venue} --connect"),
    # mon itself, and what it does not understand
    Command("--version"),
    Command("--help", codes=(0,)),
    Command("", codes=(2,)),
    Command("trades nowhere X", codes=(2,)),
    Command("trades nexus SPOT_BTC_USDT --client-key x --token=y", codes=(2,)),
)

HELPS = "--help"  # what each command answers; the test adds them for all that there are


def leaves() -> dict[str, Any]:
    """Every command of the program by its words, from the program itself."""
    from cli import main

    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[" ".join(words)] = command
            return
        for name in inner:
            walk(main._loaded(name) if not words else inner[name], (*words, name))

    walk(main._app(), ())
    return found


# --- what a line stands for ----------------------------------------------------------------------------------------


@cache
def _offers(venue: str) -> tuple[dict[str, str], str]:
    """The streams of a venue with how many symbols each takes, and its example."""
    if venue == "acme":
        return {"book": "one", "trades": "one", "orders": "none"}, "BTC-USD"
    entry = places.venue_of(venue)
    return {name: offer.symbols for name, offer in entry.streams.items()}, entry.example


ALL_VENUES = (*VENUES, "acme")


def lines_of(command: Command) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """All command lines that it stands for: venue, stream, words. What no venue is in has none."""
    line = command.line
    if "{stream}" in line:
        for venue in ALL_VENUES:
            streams, example = _offers(venue)
            for stream in STREAMS:
                if stream in streams:
                    symbol = example if streams[stream] in ("one", "many") else ""
                    text = line.replace("{stream}", stream).replace("{venue}", venue)
                    yield venue, stream, tuple(text.replace("{symbol}", symbol).split())
    elif "{venue}" in line or "{market}" in line:
        for venue in ALL_VENUES:
            streams, example = _offers(venue)
            if ("book" if "{symbol}" in line else "quotes" if "{market}" in line else "ping") not in {*streams, "ping"}:
                continue
            text = line.replace("{venue}", venue).replace("{symbol}", example)
            yield venue, "", tuple(text.replace("{market}", f"{venue}:{example}").split())
    else:
        yield "nbt" if line.startswith("send") else "", "", tuple(line.split())


# --- what happens to it ---------------------------------------------------------------------------------------------

REFUSALS = tuple(f"{status} refused" for status in (302, 400, 401, 403, 404, 429, 500, 503))
# Where the venue is, by the kind of its server; the others are reached through a proxy.
WORLDS = ("accepted", "reflects", "closes", *REFUSALS, "no HTTP", "silence", "nobody", "untrusted", "no TLS", "unknown")
THROUGH_PROXY = ("through", "cut through", "407 refused", "500 refused", "no HTTP", "nobody", "silence")
# What becomes of a program that gives a secret.
COMMANDS_THAT_FAIL: Mapping[str, str] = {
    "fails": 'cat "{stderr}" >&2; cat "{given}"; exit 7',
    "says it on stderr": 'cat "{given}" >&2',
    "is killed": 'cat "{given}"; kill -9 $$',
    "gives other bytes": 'printf "\\377"; cat "{given}"',
    "gives too much": 'cat "{given}" | tr -d "\\n"; head -c 20000 /dev/zero | tr "\\0" x',
    "gives a control character": 'printf "\\033[31m"; cat "{given}"',
    "hangs": 'cat "{given}"; exec sleep 60',
    "asks on the terminal": (
        'stty -echo < /dev/tty; printf "passphrase? " > /dev/tty; read -r k < /dev/tty; stty echo < /dev/tty;'
        ' cat "{given}"; exit 3'
    ),
}
INTERRUPTS = (0.02, 0.1, 0.25, 0.5)  # seconds until Ctrl-C

BOT = """\
from profitview import Link, http, logger


class Signals(Link):
    SIZE = 1.0

    def on_start(self):
        self.seen = 0

    def quote_update(self, src, sym, data):
        self.seen += 1
        self.signal(src, sym, size=self.SIZE if self.seen % 2 else 0.0)
        self.publish("top", {"sym": sym})

    @http.route
    def get_last(self, data):
        raise ValueError(f"no last one for {data}")

    @http.route
    def post_said(self, data):
        logger.info("it was said: %s", data)
        return data
"""


OTHER = """\
from profitview import Link, cron, logger


class Signals(Link):
    NAME = "other"

    @cron.run(every=0.1)
    def look(self):
        self.publish(self.NAME, {"venues": self.venues, "health": self.health, "instruments": self.instruments})
        logger.info("%s", self.market_streams)
        self.fetch_balances()
        raise ValueError(f"no last one: {self.__dict__}")
"""


def _address(stage: Stage, world: str, venue: str) -> str:
    if world == "unknown":
        return f"wss://nowhere.invalid/{venue}"
    if world.startswith("proxy: "):
        return f"wss://venue.example/{venue}"
    secure = world in ("untrusted", "no TLS")
    port = stage.ports["no HTTP" if world == "no TLS" else world]
    return f"ws{'s' if secure else ''}://127.0.0.1:{port}/{venue}"


def prepare(stage: Stage, world: str, turn: int) -> Callable[[Home], None]:
    """A home with everything in it, in a world of that kind."""

    def prepared(home: Home) -> None:
        home.env |= places.base_environment(home.folder)
        home.env["PYTHONPATH"] = str(stage.folder / "plug-ins")
        home.file("bot.py", BOT)
        home.file("other.py", OTHER)
        if (recording := stage.folder / "recording.jsonl").exists():
            home.file("recording.jsonl", recording.read_text())
        home.proxy_port = stage.ports[world.removeprefix("proxy: ") if world.startswith("proxy: ") else "407 refused"]
        places.put_all(home, turn)
        for venue in ALL_VENUES:
            url = _address(stage, world, venue)
            for environment in (None, *places.environments(venue)):
                home.env["_".join(["MON", venue, *([environment] if environment else []), "URL"]).upper()] = url
                if venue == "woox":
                    named = "_".join(["MON", venue, *([environment] if environment else []), "REST_URL"]).upper()
                    home.env[named] = url.replace("ws", "http", 1)
        home.table("venues", "b2trader")["negotiate"] = turn % 2 == 1
        home.env["MON_B2TRADER_ACCOUNT_ID"] = "sim-account"
        if world.startswith("proxy: "):
            home.env["SSL_CERT_FILE"] = stage.certificate
            home.env["NO_PROXY"] = ""
        elif world == "unknown":
            home.env["NO_PROXY"] = "nowhere.invalid"

    return prepared


def _scoped(words: tuple[str, ...], venue: str, turn: int) -> tuple[str, ...]:
    """The words for one of the venue's environments, or for the profile, in turn."""
    if not venue or "--env" in words or words[0] in ("config", "bot"):
        return words
    options = [(), ("--profile", "second"), *(("--env", name) for name in places.environments(venue))]
    return (*words, *options[(turn // len(places.WAYS)) % len(options)])


def case_of(stage: Stage, command: Command, line: tuple[str, str, tuple[str, ...]], world: str, turn: int) -> Case:
    """One run."""
    venue, _, words = line
    scoped = _scoped(words, venue, turn) if command.talks else words
    return Case(
        name=f"{' '.join(scoped)} · {world} · turn {turn}",
        words=scoped,
        prepare=prepare(stage, world, turn),
        terminal=command.keys is not None,
        keys=command.keys or (),
        stdin=command.stdin,
        interrupt_after=0.5 if command.ends else None,
        # The plug-in of the tests takes what is no JSON for a fault of its own.
        codes=(*command.codes, 1) if venue == "acme" and world == "reflects" else command.codes,
    )


# --- all of them ----------------------------------------------------------------------------------------------------


def alone(stage: Stage, *, whole: bool) -> Iterator[Case]:
    """Each command that speaks with nobody; of the whole also each that is asked for its help."""
    for at, command in enumerate(COMMANDS):
        if not command.talks:
            yield case_of(stage, command, next(lines_of(command)), "accepted", at)
    for at, words in enumerate(sorted(leaves()) if whole else ()):
        yield case_of(stage, Command(f"{words} {HELPS}"), ("", "", (*words.split(), HELPS)), "accepted", at)
    for at, asked in enumerate(("mon trades nexus ", "mon bot run x --market nexus:", "mon config ")):
        complete = Command("", codes=(0,))
        case = case_of(stage, complete, ("", "", ()), "accepted", at)
        yield replace(case, name=f"completion of {asked!r}", prepare=_completing(case.prepare, asked))


def _completing(before: Callable[[Home], None], asked: str) -> Callable[[Home], None]:
    def prepared(home: Home) -> None:
        before(home)
        home.env |= {"_MON_COMPLETE": "complete_bash", "COMP_WORDS": asked, "COMP_CWORD": str(len(asked.split()))}
        home.env |= {"COMP_LINE": asked, "COMP_POINT": str(len(asked))}

    return prepared


def with_venues(stage: Stage, *, whole: bool) -> Iterator[Case]:
    """The commands that speak with a venue, in every world; not whole: each line once, each world with each secret."""
    worlds = [*WORLDS, *(f"proxy: {kind}" for kind in THROUGH_PROXY)]
    turn = 0
    for command in COMMANDS:
        if not command.talks:
            continue
        lines = list(lines_of(command))
        if not whole:
            lines = _one_a_venue(lines, turn)
            lines = [lines[(turn + 3 * at) % len(lines)] for at in range(min(2, len(lines)))]
        for at, line in enumerate(lines):
            chosen = worlds if whole and line in _one_a_venue(lines, at) else [worlds[(turn + at) % len(worlds)]]
            for world in chosen:
                turn += 1
                if world != "silence" or at % 3 == 0:  # which takes its time
                    yield case_of(stage, command, line, world, turn)
    if not whole:
        yield from _each_world(stage, worlds)


def _one_a_venue(
    lines: Sequence[tuple[str, str, tuple[str, ...]]], turn: int
) -> list[tuple[str, str, tuple[str, ...]]]:
    by_venue: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    for line in lines:
        by_venue.setdefault(line[0], []).append(line)
    return [some[(turn + at) % len(some)] for at, some in enumerate(by_venue.values())]


def _each_world(stage: Stage, worlds: Sequence[str]) -> Iterator[Case]:
    """Each world once, and the one that says everything back for each secret in each way and scope."""
    command = COMMANDS[1]
    lines = {(venue, stream): words for venue, stream, words in lines_of(command)}
    private = {"nexus": "trades", "b2trader": "positions", "jayx": "balance", "nbt": "signals", "profitview": "feed"}
    for at, world in enumerate(worlds):
        venue = list(private)[at % len(private)]
        yield case_of(stage, command, (venue, private[venue], lines[venue, private[venue]]), world, at)
    for stream in STREAMS:
        venue = next((one for one, has in lines if has == stream), "")
        if stream not in private.values() and venue:
            yield case_of(stage, command, (venue, stream, lines[venue, stream]), "reflects", 0)
    for at, (venue, stream) in enumerate((*private.items(), ("acme", "orders"))):
        for turn in (0, 1, 2, 3, 4 + at % 4):  # each way, and the next scope
            yield case_of(stage, command, (venue, stream, lines[venue, stream]), "reflects", turn)


READERS_OF_CONFIG = (
    ("trades", "nexus", "SPOT_BTC_USDT", "-v", "--retries", "0", "--timeout", "1s"),
    ("config", "check"),
    ("config", "show"),
    ("symbols", "woox", "-v"),
    ("config", "check", "nexus", "--connect"),
)


def broken(stage: Stage, *, whole: bool) -> Iterator[Case]:
    """What is wrong in the configuration, with a secret in it, and the commands that read it."""
    ways: list[tuple[str, Callable[[Home], None]]] = list(places.BROKEN.items())
    ways += [(line, _with_line(line)) for line in places.LINES]
    for at, (name, wrong) in enumerate(ways):
        readers = (
            READERS_OF_CONFIG if whole else (READERS_OF_CONFIG[at % 3], READERS_OF_CONFIG[3 + at % 2])[: 1 + at % 2]
        )
        for words in readers:
            yield Case(
                f"{' '.join(words)} · {name}",
                words,
                _both(prepare(stage, "nobody", 1), wrong),
                codes=(0, 3, 5),
                own_words="command" in name,
            )


def _with_line(line: str) -> Callable[[Home], None]:
    return lambda home: places.with_line(home, line)


def _both(before: Callable[[Home], None], after: Callable[[Home], None]) -> Callable[[Home], None]:
    def prepared(home: Home) -> None:
        before(home)
        after(home)

    return prepared


NEXUS = ("trades", "nexus", "SPOT_BTC_USDT", "-v", "--retries", "0", "--timeout", "3s", "--count", "2")


def commands_that_fail(stage: Stage) -> Iterator[Case]:
    """Programs that should give a secret, and do not."""
    for name, script in COMMANDS_THAT_FAIL.items():
        terminal = "terminal" in name
        yield Case(
            f"a secret command {name}",
            NEXUS,
            _both(prepare(stage, "reflects", 1), _failing(script)),
            terminal=terminal,
            keys=(("passphrase?", places.mark("typed at a prompt", tricky=False) + "\n"),) if terminal else (),
            interrupt_after=1.0 if name == "hangs" else None,
            codes=(3, 130),
        )


def _failing(script: str) -> Callable[[Home], None]:
    def put(home: Home) -> None:
        home.marked("typed at a prompt", tricky=False)
        given = home.file("failing.given", home.marked("what a failing command gives") + "\n")
        stderr = home.file("failing.stderr", home.marked("what a failing command says"))
        table = home.table("venues", "nexus")
        for key in [key for key in table if key.startswith("client_key")]:
            del table[key]
        home.env.pop("MON_NEXUS_CLIENT_KEY", None)
        text = "#!/bin/sh\n" + script.format(given=given, stderr=stderr) + "\n"
        table["client_key_command"] = ["/bin/sh", str(home.file("failing.sh", text, 0o700))]

    return put


def crashes(stage: Stage, *, whole: bool) -> Iterator[Case]:
    """Faults of ours, each with a secret in its text, in every way of giving it."""
    others = (
        ("positions", "b2trader", "-v", "--retries", "0", "--timeout", "3s", "--count", "2"),
        ("dash", "nexus", "SPOT_BTC_USDT", "-v", "--retries", "0", "--duration", "400ms"),
        ("send", "nbt", *SIGNAL.split(), "--yes", "-v", "--timeout", "2s"),
    )
    for at, fault in enumerate(faults.CRASHES):
        for turn in range(4) if whole else (at % 4, (at + 2) % 4):
            words = (NEXUS, *others)[(at + turn) % 4]
            yield Case(
                f"{' '.join(words)} · {fault} · turn {turn}",
                words,
                prepare(stage, "accepted", turn),
                terminal=words[0] == "dash",
                fault=fault,
                codes=(0, 1, 3, 4, 5, 6),
            )


def interrupted(stage: Stage, *, whole: bool) -> Iterator[Case]:
    """Ctrl-C at some moments of a run, while different things are waited for."""
    for at, (world, terminal) in enumerate((w, t) for w in ("silence", "reflects", "accepted") for t in (False, True)):
        for after in INTERRUPTS if whole else (INTERRUPTS[at % len(INTERRUPTS)],):
            words = ("trades", "nexus", "SPOT_BTC_USDT", "-v", "--record", MADE + ".jsonl")
            case = Case(
                f"{' '.join(words)} · {world} · Ctrl-C after {after} s{' on a terminal' if terminal else ''}",
                words,
                prepare(stage, world, at),
                terminal=terminal,
                interrupt_after=after,
                codes=(0, 3, 4, 5, 130),
            )
            yield case


def served(stage: Stage) -> Iterator[Case]:
    """A bot's feed and webhooks, asked with its token in all ways that end in an answer, good or bad."""
    words = (
        f"bot run {{home}}/own/bot.py --market nexus:SPOT_BTC_USDT --listen 0 -v --duration 3s --record {MADE}.jsonl"
    )
    for turn in range(len(places.WAYS)):
        case = case_of(stage, Command(words), ("", "", tuple(words.split())), "accepted", turn)
        yield replace(
            case, name=f"{case.name} · its server is asked", visit=_ask_the_bot, interrupt_after=0.1, codes=(0, 130)
        )


def _ask_the_bot(home: Home, said: str) -> None:
    port = int(said.partition(SERVES)[2].split("/")[2].rpartition(":")[2])
    token = next(marked for place, marked in home.marks.items() if place.startswith("bot token") and "as" in place)
    quoted = quote(token, safe="")
    hook = f"/trading/signal/{quoted}"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    requests = (
        f"GET {hook}/last HTTP/1.1",
        f"GET {hook}/last?note={quoted} HTTP/1.1",
        f"GET {hook}/{quoted} HTTP/1.1",
        f"DELETE {hook}/last HTTP/1.1",
        f"GET {hook}x/last HTTP/1.1",
        f"GET /{quoted} HTTP/1.1",
        f"GET /stream?token={quoted} HTTP/1.1",
        f"GET /stream?token={quoted} HTTP/1.1\r\n{upgrade.rstrip()}",
        f"POST {hook}/said HTTP/1.1\r\nContent-Length: {len(token.encode())}\r\n\r\n{token}",
        f"{quoted} {hook} HTTP/9.9",
        f"GET {hook}/last HTTP/1.1\r\nX-{quoted}: \x01",
    )
    answers = [_asked(port, request) for request in requests]
    assert answers[0].split()[1:2] == ["500"], answers[0]  # the script fails, so the token was right


def _asked(port: int, request: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        line, end, rest = request.partition("\r\n")
        client.sendall(f"{line}\r\nHost: 127.0.0.1{end}{rest}\r\n\r\n".encode())
        client.settimeout(10)
        return client.recv(65_536).decode(errors="replace")


def files_that_exist(stage: Stage) -> Iterator[Case]:
    """Files that `mon` writes and that are there already, open to everybody."""

    def open_one(home: Home) -> None:
        path = home.folder / "made.jsonl"
        path.write_text("")
        path.chmod(0o666)

    for option in ("--append", "--overwrite"):
        for words in (
            ("trades", "nexus", "SPOT_BTC_USDT", "--retries", "0", "--count", "2", "--record", MADE + ".jsonl", option),
            ("sim", "--trades", "1m", "--out", MADE + ".jsonl", option),
        ):
            yield Case(f"{' '.join(words)} · the file is there", words, _both(prepare(stage, "accepted", 0), open_one))
    bot = ("bot", "run", "{home}/own/bot.py", "--replay", "{home}/own/recording.jsonl", "--speed", "max")
    words = (*bot, "--report", MADE + ".jsonl")
    yield Case(f"{' '.join(words)} · the file is there", words, _both(prepare(stage, "accepted", 0), open_one))

    def without_config(home: Home) -> None:
        home.config.clear()

    words = ("config", "init")
    yield Case("config init · no folder", words, _both(prepare(stage, "accepted", 0), without_config), codes=(0,))


def leaks(stage: Stage) -> Iterator[Case]:
    """What the search must find; the first run has no fault, and is clean."""
    words = (*NEXUS, "--record", MADE + ".jsonl")
    for at, fault in enumerate(faults.LEAKS):
        world = "accepted" if "644" in fault else "reflects"
        turn = {"leak: variables for secret commands": 3, "leak: prints its settings": 1}.get(fault, 0 if at % 2 else 1)
        case = Case(fault, words, prepare(stage, world, turn), fault=fault, terminal="title" in fault)
        yield case


def all_cases(stage: Stage, *, whole: bool) -> list[Case]:
    """Everything, or the part of it that has each place, each command and each failure at least once."""
    return [
        *alone(stage, whole=whole),
        *with_venues(stage, whole=whole),
        *broken(stage, whole=whole),
        *commands_that_fail(stage),
        *crashes(stage, whole=whole),
        *interrupted(stage, whole=whole),
        *served(stage),
        *files_that_exist(stage),
    ]


def make_plug_in(folder: Path) -> None:
    """The venue `acme` of another package, which sends its key in its address and a header."""
    from tests import made_plugins

    session = made_plugins.SESSION.replace(
        'url = f"{self._settings.url}/ws/{symbol}"\n        return Dial(url, url)',
        'url = f"{self._settings.url}/ws/{symbol}"\n'
        "        from urllib.parse import quote\n"
        "        return Dial(f'{url}?key={quote(self._key, safe=\"\")}', url + '?key=[key]')",
    ).replace(
        "return AcmeSession(self)",
        'made = AcmeSession(self)\n        made._key = secrets.get("key", "")\n        return made',
    )
    assert session.count("_key") == 2
    files = made_plugins.FILES | {"mon_acme/session.py": session}
    made_plugins.distribution(folder, "mon-acme", "0.3", {"acme": "mon_acme:ACME"}, files)
