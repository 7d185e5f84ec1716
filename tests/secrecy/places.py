"""Every place that a secret can come from, and the home of a user who has one in all of them at once.

A later issue adds its secrets and its places to `PLACES`, one line each. A test compares the list with what the code
knows, and fails when a secret is missing here. `BROKEN` and `LINES` are mistakes in the configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli.settings.environment import variable
from tests.secrecy.marks import mark
from venues import venue_named
from venues.venue import Venue

WITHOUT_SECRETS = ("kraken", "woox")  # venues that anybody may ask
PROXIES = ("proxy", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy")  # the first one is the config file's

WAYS = ("variable", "name", "name_file", "name_command")  # how a secret is given


@dataclass
class Home:
    """A user's home with marks in it: variables, the config file, and files that it names."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)  # by place
    proxy_port: int = 9

    def marked(self, place: str, *, tricky: bool = True) -> str:
        """The mark of a place, which is looked for from now on."""
        return self.marks.setdefault(place, mark(place, tricky=tricky))

    def table(self, *path: str) -> dict[str, Any]:
        """A table of the config file; made where there is none."""
        table = self.config
        for name in path:
            table = table.setdefault(name, {})
        return table

    def file(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of the user's own, outside of all that `mon` may write."""
        path = self.folder / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def write(self) -> None:
        """Put the config file where it belongs."""
        path = self.folder / ".config" / "mon" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(toml(self.config)), encoding="utf-8")
        path.chmod(0o600)


def toml(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[str]:
    """A table as lines of TOML; its basic strings are those of JSON."""
    lines = [] if not path else [f"[{'.'.join(path)}]"]
    lines += [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += toml(value, (*path, key))
    return lines


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- secrets -------------------------------------------------------------------------------------------------------


def scopes(owner: str) -> list[tuple[str, tuple[str, ...], str | None]]:
    """Where a venue's secrets can be: the scope's name, its table, and the environment of its variable."""
    if owner == "bot":
        return [("bot", ("bot",), None)]
    table = ("venues", owner)
    found: list[tuple[str, tuple[str, ...], str | None]] = [("production", table, None)]
    found += [(environment, (*table, environment), environment) for environment in environments(owner)]
    return [*found, ("--profile second", ("profiles", "second", *table), None)]


def environments(owner: str) -> list[str]:
    """The environments of a venue that have values of their own."""
    if owner == "acme":
        return ["beta"]
    return [name for name in venue_of(owner).environments if name != "production"]


def venue_of(name: str) -> Venue:
    """The entry of a venue of the registry."""
    return venue_named(name)


def put(
    home: Home, way: str, owner: str, name: str, scope: str, table: tuple[str, ...], environment: str | None
) -> None:
    """One secret in one way."""
    place = f"{owner} {name}, {scope}, as {way}"
    value, at = home.marked(place), f"{owner}-{name}-{scope.rpartition(' ')[2]}"
    if way == "variable":
        home.env[variable(owner, environment, name)] = value
    elif way == "name":
        home.table(*table)[name] = value
    elif way == "name_file":
        home.table(*table)[f"{name}_file"] = str(home.file(at, f"{value}\n{home.marked(f'{place}: second line')}\n"))
    else:
        home.table(*table)[f"{name}_command"] = command(home, at, place, value)


# Tells what it sees of other secrets, says one on stderr and another one behind its first line.
_COMMAND = """\
#!/bin/sh
{{ tr '\\0' '\\n' < /proc/self/environ; tr '\\0' ' ' < /proc/$$/cmdline; echo; }} >> "{seen}"
echo "not this one: $(cat {stderr})" >&2
cat "{given}"
exit {code}
"""


def command(home: Home, name: str, place: str, value: str, code: int = 0) -> list[str]:
    """The words of a program that gives a secret; the value is in none of them."""
    given = home.file(f"{name}.given", f"{value}\n{home.marked(f'{place}: second line')}\n")
    stderr = home.file(f"{name}.stderr", home.marked(f"{place}: stderr"))
    script = _COMMAND.format(seen=home.folder / "seen-by-commands", given=given, stderr=stderr, code=code)
    return ["/bin/sh", str(home.file(f"{name}.sh", script, 0o700))]


# --- proxies, addresses, and what is no secret of mon's but in its environment --------------------------------------


def put_proxy(home: Home, turn: int) -> None:
    """A proxy with a user and a password."""
    where = PROXIES[turn % len(PROXIES)]
    user, password = (quote(home.marked(f"{where}: {what}"), safe="") for what in ("user", "password"))
    address = f"http://{user}:{password}@127.0.0.1:{home.proxy_port}"
    if where == "proxy":
        home.config["proxy"] = address
    else:
        home.env[where] = address


@dataclass(frozen=True)
class Place:
    """Where secrets come from: what it is called, and how their marks get there in one of its ways (a turn: 0 to 3).

    `secret`: the owner and the name of a secret that is given in each of `WAYS`.
    """

    name: str
    put: Callable[[Home, int], None]
    secret: tuple[str, str] | None = None


def secret(owner: str, name: str) -> Place:
    """A secret of a venue, or of the bot host, in all its scopes: each with a mark of its own, in another way."""

    def put_secret(home: Home, turn: int) -> None:
        for at, (scope, table, environment) in enumerate(scopes(owner)):
            ways = WAYS if "profiles" not in table else WAYS[1:]  # a profile has no variables
            put(home, ways[(turn + at) % len(ways)], owner, name, scope, table, environment)

    return Place(f"{owner} {name}", put_secret, (owner, name))


def given(name: str) -> Place:
    """What b2trader's hub gives in its negotiation, and wants back; `tests/secrecy/world.py` gives it."""
    return Place(f"b2trader's {name}", lambda home, _: _mark_only(home, f"b2trader's {name}", tricky=name != "cookie"))


def _mark_only(home: Home, place: str, *, tricky: bool = True) -> None:
    home.marked(place, tricky=tricky)


def unwanted(variable_name: str, text: str = "MARK") -> Place:
    """A variable that no run needs: its secret may go nowhere."""

    def put_variable(home: Home, turn: int) -> None:
        home.env[variable_name] = text.replace("MARK", quote(home.marked(variable_name), safe=""))

    return Place(variable_name, put_variable)


def _put_section(home: Home, turn: int) -> None:
    home.table("venues", "nowhere")["token"] = home.marked("the section of a plug-in that is not there")


PLACES: Sequence[Place] = (
    secret("nexus", "client_key"),
    secret("b2trader", "token"),
    secret("jayx", "api_key"),
    secret("nbt", "key"),  # also of `mon send` and of the relay
    secret("profitview", "api_key"),
    secret("acme", "key"),  # the plug-in of the tests
    secret("bot", "token"),  # of its feed and its webhooks
    Place("a proxy's user and password", put_proxy),
    given("cookie"),
    given("connectionToken"),
    given("accessToken"),
    unwanted("HTTP_PROXY", "http://u:MARK@127.0.0.1:9"),
    unwanted("MON_ELSEWHERE_TOKEN"),  # of a plug-in that is not there
    unwanted("MON_NEXUS_SIM_CLIENT_KEY"),  # of an environment that is not there
    Place("the section of a plug-in that is not there", _put_section),
)
SECRETS = [place.secret for place in PLACES if place.secret is not None]


def put_all(home: Home, turn: int) -> None:
    """A mark in every place, so that all commands can be used."""
    for place in PLACES:
        place.put(home, turn)


# --- what is refused before anything is opened ----------------------------------------------------------------------

Broken = Callable[[Home], None]


def _url(text: str, *path: str, name: str = "url") -> Broken:
    def put_url(home: Home) -> None:
        marked = quote(home.marked(f"{name} {text}"), safe="")
        home.table(*(path or ("venues", "nexus")))[name] = text.replace("MARK", marked)

    return put_url


def _variable(name: str, text: str) -> Broken:
    def put_variable(home: Home) -> None:
        home.env[name] = text.replace("MARK", quote(home.marked(f"{name} {text}"), safe=""))

    return put_variable


def _value_of(name: str, made: Callable[[str], Any], *path: str) -> Broken:
    def put_value(home: Home) -> None:
        table = home.table(*(path or ("venues", "nexus")))
        for key in [key for key in table if key.startswith("client_key")]:
            del table[key]
        home.env.pop("MON_NEXUS_CLIENT_KEY", None)
        table[name] = made(home.marked(f"wrong {name}, {path}"))

    return put_value


# What is wrong in the config file or the environment, with a secret in it. `mon` says what, and never the secret.
BROKEN: Mapping[str, Broken] = {
    "user and password in url": _url("wss://user:MARK@venue.example"),
    "user in url": _url("wss://MARK@venue.example"),
    "key in the query of url": _url("wss://venue.example/?key=MARK"),
    "key in the fragment of url": _url("wss://venue.example/#MARK"),
    "key for an address": _url("MARK"),
    "password in an address of a profile": _url("wss://u:MARK@v.example", "profiles", "second", "venues", "nexus"),
    "password in rest_url": _url("https://u:MARK@v.example", "venues", "woox", name="rest_url"),
    "password in MON_NEXUS_URL": _variable("MON_NEXUS_URL", "wss://u:MARK@v.example"),
    "key in the query of MON_NEXUS_URL": _variable("MON_NEXUS_URL", "wss://v.example?token=MARK"),
    "password in MON_WOOX_REST_URL": _variable("MON_WOOX_REST_URL", "https://u:MARK@v.example"),
    "password in a proxy that is none": _url("gopher://u:MARK@proxy.example", name="proxy"),
    "password in HTTPS_PROXY that is none": _variable("HTTPS_PROXY", "gopher://u:MARK@proxy.example/x y"),
    "a list for a secret": _value_of("client_key", lambda secret: [secret]),
    "a table for a secret": _value_of("client_key", lambda secret: {"is": secret}),
    "a text for a command": _value_of("client_key_command", lambda secret: f"echo {secret}"),
    "an empty command": _value_of("client_key_command", lambda secret: ["", secret]),
    "a command in one word": _value_of("client_key_command", lambda secret: [f"echo {secret}"]),
    "a command's words": _value_of("client_key_command", lambda secret: ["/nowhere/echo", secret]),
    "a secret for a command": _value_of("client_key_command", lambda secret: [secret]),
    "a secret for a file": _value_of("client_key_file", lambda secret: secret),
    "a misspelt name": _value_of("client_kye", lambda secret: secret),
    "a secret for a name": _value_of("x", lambda secret: secret, "venues", "nexus", "production"),
    "a secret with a line's end": _value_of("client_key", lambda secret: f"{secret}\n{secret}"),
}

# Lines that are no TOML, or no config of ours, with a secret on them.
LINES: Sequence[str] = (
    "client_key = MARK",
    'client_key = "MARK',
    'client_key = "MARK" MARK',
    "client_key: MARK",
    "client_key = 'MARK'\nclient_key = 'MARK'",
    "client_key = 'MARK\nMARK'",
    'client_key = "\\q MARK"',
    'client_key = ["MARK"',
    "client_key = { MARK = MARK }",
    "MARK",
    'MARK = "client_key"',
    '"MARK" = 1',
    "[MARK]",
    "[venues.nexus.MARK]",
    "[MARK]\n[MARK]",
    "[venues.MARK]\n[venues.MARK]",
    "a = { MARK = 1, MARK = 2 }",
    "client_key.MARK = 1\nclient_key = 2",
    'client_key = """MARK',
    "client_key = 2020-01-01MARK",
)


def with_line(home: Home, line: str) -> None:
    """A config file that ends with a line which is wrong."""
    secret = home.marked(f"the line {line}", tricky=False)
    home.write()
    path = home.folder / ".config" / "mon" / "config.toml"
    home.env["MON_CONFIG"] = str(path)
    path.write_text(f"[venues.nexus]\n{line.replace('MARK', secret)}\n", encoding="utf-8")
    path.chmod(0o600)


def base_environment(folder: Path) -> dict[str, str]:
    """What every run has in its environment that is no secret."""
    kept = {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    return {**kept, "PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "COLUMNS": "80"}
