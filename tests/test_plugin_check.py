"""What a venue of another package must be, asked in this process: the words of the first thing that is wrong."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, ClassVar

import pytest

from tests.made_plugins import ENTRY
from tests.test_plugins import BROKEN
from venues.plugin_check import ContractBroken, check_endpoint, check_entry, check_options
from venues.streams import VenueOption
from venues.venue import Offer

IN_WORDS = {kind: given for kind, given in BROKEN.items() if given[0].count("\n") >= ENTRY.count("\n") - 2}


def entry_of(text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("mon_acme")
    monkeypatch.setitem(sys.modules, "mon_acme", module)
    exec(compile(text, "mon_acme/__init__.py", "exec"), vars(module))
    return vars(module)["ACME"]


def test_a_whole_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    check_entry(entry_of(ENTRY, monkeypatch), "acme")


@pytest.mark.parametrize("kind", IN_WORDS)
def test_what_is_wrong_is_said(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = IN_WORDS[kind]
    with pytest.raises((ContractBroken, TypeError, ZeroDivisionError)) as raised:
        check_entry(entry_of(text, monkeypatch), "acme")
    assert said in f"{type(raised.value).__name__}: {raised.value}"


BOOK = Offer("Book", public=True, options=("special", "fast"))
SPECIAL = VenueOption("special", "How special.", "HOW")


def offer(**given: Any) -> dict[str, Offer]:
    return {"book": BOOK, "trades": Offer(**{"source": "Trade", "public": True, **given})}


def once(seconds: Any) -> str:
    return f"expected seconds above 0, at most a day, as once_within of trades, got {seconds!r}"


def a_second(number: Any) -> str:
    return f"expected a number above 0, at most 10,000, as requests_per_second, got {number!r}"


def address(text: str) -> str:
    return f"expected an address such as wss://host.example, got {text!r}"


def at(*addresses: str) -> dict[str, str]:
    return dict(zip(("production", "beta"), addresses, strict=False))


def plain(text: str) -> str:
    return f"expected a wss:// address, got {text!r}: one without TLS is for this machine"


WHERE_TO_MAKE = "expected candles made from the venue's trades, got"
SETTING = "expected the name of a secret or a value, such as api_key, got"
BEGINS = "expected names of secrets and values that no environment begins, got"


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("requests_per_second", 10_000, ""),
        ("requests_per_second", 0.001, ""),
        ("requests_per_second", 0, a_second(0)),
        ("requests_per_second", -0.5, a_second(-0.5)),
        ("requests_per_second", 10_000.5, a_second(10_000.5)),
        ("requests_per_second", True, a_second(True)),
        ("requests_per_second", "5", a_second("5")),
        ("streams", offer(once_within=86_400), ""),
        ("streams", offer(once_within=0.001), ""),
        ("streams", offer(once_within=0), once(0)),
        ("streams", offer(once_within=-0.5), once(-0.5)),
        ("streams", offer(once_within=86_400.5), once(86_400.5)),
        ("streams", offer(once_within=None), once(None)),
        ("streams", {}, "expected offers by stream as streams, got a dict"),
        ("streams", [BOOK], "expected offers by stream as streams, got a list"),
        ("streams", offer(source="a\nb"), "expected the venue's own name as source of trades, got a str"),
        ("streams", offer(source=7), "expected the venue's own name as source of trades, got an int"),
        ("streams", offer(public=1), "expected True or False as public of trades, got an int"),
        ("streams", offer(partial=None), "expected True or False as partial of trades, got none"),
        ("streams", offer(unasked="x"), "expected True or False as unasked of trades, got a str"),
        ("streams", offer(complete=0), "expected True or False as complete of trades, got an int"),
        ("streams", offer(options="fast"), "expected a collection of names as options of trades, got a str"),
        ("streams", offer(options=7), "expected a collection of names as options of trades, got an int"),
        ("streams", offer(options=(7,)), "expected names in options of trades, got an int"),
        ("streams", offer(options=("fast", "interval")), ""),
        ("streams", offer(options=("b", "a")), "expected options of trades that the venue's options have, got a"),
        ("streams", offer(made_from="trades"), f"{WHERE_TO_MAKE} trades from 'trades'"),
        ("streams", offer(made_from="book"), f"{WHERE_TO_MAKE} trades from 'book'"),
        ("streams", offer() | {"candles": Offer("", made_from="trades")}, ""),
        ("streams", offer() | {"candles": Offer("", made_from="book")}, f"{WHERE_TO_MAKE} candles from 'book'"),
        (
            "streams", {"book": BOOK, "candles": Offer("", made_from="trades")},
            f"{WHERE_TO_MAKE} candles from 'trades'",
        ),
        ("environments", {}, "expected an environment, such as production, got none"),
        ("environments", ["production"], "expected a mapping as environments, got a list"),
        ("environments", {"Beta": ""}, "expected an environment's name such as staging, got 'Beta'"),
        ("environments", at("", ""), ""),
        ("environments", at("wss://a.example:65535/x/y"), ""),
        ("environments", at("wss://a.example:1"), ""),
        ("environments", at("wss://a.example:0"), address("wss://a.example:0")),
        ("environments", at("https://a.example"), address("https://a.example")),
        ("environments", at("wss://"), address("wss://")),
        ("environments", at("wss://a.example#x"), address("wss://a.example#x")),
        ("environments", at("wss://a.example\\x"), address("wss://a.example\\x")),
        ("environments", at("ws://127.0.0.1:80"), ""),
        ("environments", at("ws://a.example"), plain("ws://a.example")),
        ("environments", at("wss://a.example", "ws://b.example"), plain("ws://b.example")),
        ("rest", {}, ""),
        ("rest", at("https://a.example", ""), ""),
        ("rest", at("http://127.0.0.1", "http://localhost:1"), ""),
        ("rest", at("wss://a.example", ""), "expected an address such as https://host.example, got 'wss://a.example'"),
        ("rest", at("", "x"), "expected an address such as https://host.example, got 'x'"),
        ("secrets", {"Key": "x"}, f"{SETTING} 'Key'"),
        ("secrets", {"a_file": "x"}, f"{SETTING} 'a_file'"),
        ("secrets", {"a_command": "x"}, f"{SETTING} 'a_command'"),
        ("values", {"rest_url": "x"}, f"{SETTING} 'rest_url'"),
        ("values", {"url": "x"}, f"{SETTING} 'url'"),
        ("values", {"files": "x", "production_x": "x", "betas": "x"}, ""),
        ("values", {"beta": "x"}, f"{BEGINS} beta"),
        ("values", {"production": "x"}, f"{BEGINS} production"),
        ("secrets", {"beta_key": "x"}, f"{BEGINS} beta_key"),
        ("values", {"b": "x", "key": "x"}, "expected key as a secret or as a value, got both"),
        ("values", {"a": 7}, "expected texts of one line in values, got an int"),
        ("values", {"a": "b\n"}, "expected texts of one line in values, got a str"),
        ("required", "region", "expected a collection of names as required, got a str"),
        ("required", 7, "expected a collection of names as required, got an int"),
        ("required", ("region",), ""),
        ("required", ("region", "key"), "expected names of values in required, got key"),
        ("simulator", "", ""),
        ("simulator", "a.b:C", ""),
        ("simulator", "a.b", 'expected module:Class as simulator, or "", got \'a.b\''),
        ("simulator", None, 'expected module:Class as simulator, or "", got None'),
        ("template", "", ""),
        ("template", 7, "expected text as template, got an int"),
        ("template", "x", "expected TOML as template, got something else: Expected '='"),
        ("template", "venues = 7", "expected only the table [venues.acme] in template, got others"),
        ("template", "a = 7\n[venues.acme]", "expected only the table [venues.acme] in template, got others"),
        ("template", "[venues.acme]\n[venues.b]", "expected only the table [venues.acme] in template, got others"),
        ("template", '[venues.acme]\nurl = ""\nkey_file = ""\nkey = ""\nregion = ""\n[venues.acme.beta]\nurl = ""', ""),
        ("template", '[venues.acme]\nrest_url = ""', "expected known names in template, got rest_url in [venues.acme]"),
        (
            "template", "[venues.acme.beta.beta]\nurl = 7",
            "expected known names in template, got beta in [venues.acme.beta]",
        ),
        ("example", 7, "expected a symbol as example, got an int"),
        ("example", "a\nb", "expected a symbol as example, got a str"),
        ("commands", object(), "expected kinds in commands, got none"),
    ],
)  # fmt: skip
def test_what_an_entry_may_say(what: str, value: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_of(ENTRY, monkeypatch)
    setattr(type(entry), what, value)
    if not said:
        check_entry(entry, "acme")
        return
    with pytest.raises(ContractBroken) as raised:
        check_entry(entry, "acme")
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("example", ["BTCUSD", "BTC-USD"])
@pytest.mark.parametrize(
    ("streams", "takes"),
    [
        ({"book": BOOK}, True),
        ({"book": Offer("x", symbols="none", options=BOOK.options)}, False),
        ({"book": Offer("x", symbols="any", options=BOOK.options)}, False),
        ({"book": Offer("x", symbols="many", options=BOOK.options)}, True),
        ({"feed": Offer("x", symbols="many", options=BOOK.options)}, False),
    ],
)
def test_an_example_is_a_symbol_where_a_stream_takes_one(
    streams: dict[str, Offer], example: str, *, takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_of(ENTRY, monkeypatch)
    type(entry).streams, type(entry).example = streams, example
    if takes and example == "BTCUSD":
        with pytest.raises(
            ContractBroken, match="expected an example that check_symbol passes, got 'BTCUSD': expected"
        ):
            check_entry(entry, "acme")
    else:
        check_entry(entry, "acme")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((VenueOption("ab", "How."),), ""),
        ((VenueOption("a1-b2", "How.", "N"),), ""),
        ((VenueOption("a", "How."),), "expected an option's name such as special-price, without --, got 'a'"),
        ((VenueOption("a-", "How."),), "expected an option's name such as special-price, without --, got 'a-'"),
        ((VenueOption("", "How."),), "expected an option's name such as special-price, without --, got ''"),
        ((VenueOption(7, "How."),), "expected an option's name such as special-price, without --, got 7"),  # type: ignore[arg-type]
        ((VenueOption("taken", "How."),), "the option --taken is one that mon itself has; the venue's needs another"),
        ((VenueOption("ab", 7),), "expected one line of text as help of the option ab, got an int"),  # type: ignore[arg-type]
        ((VenueOption("ab", "How.", "a\n"),), "expected one line of text as takes of the option ab, got a str"),
        ((VenueOption("ab", " "),), "expected a help text for the option ab, got none"),
        ([VenueOption(name, "How.") for name in ("ab", "cd", "ab")], "expected each option once, got ab twice"),
        (["ab"], "expected a VenueOption in options, got a str"),
        ("ab", "expected a sequence of VenueOption as options, got a str"),
        ({SPECIAL}, "expected a sequence of VenueOption as options, got a set"),
        ([], ""),
    ],
)  # fmt: skip
def test_what_options_may_be(options: Any, said: str) -> None:
    if not said:
        check_options(options, {"taken"})
        return
    with pytest.raises(ContractBroken) as raised:
        check_options(options, {"taken"})
    assert str(raised.value).removesuffix(" name") == said


class Simulated:
    """What a simulated endpoint of the venue has to have."""

    name = "acme"
    scheme = "ws"
    symbols: ClassVar[Any] = {"BTC-USD": "BTC_USDT"}
    credentials: ClassVar[Any] = {"key": "sim-key", "region": "eu"}

    @staticmethod
    def values(config: object) -> Any:
        assert config is None
        return {"region": "eu"}

    def sockets(self) -> None: ...
    def posts(self) -> None: ...
    def services(self) -> None: ...


VALUES = "expected the venue's values by name from values() of the simulator, got something else"


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("name", "nexus", "expected \"acme\" as name of the simulator, got 'nexus'"),
        ("scheme", "http", ""),
        ("scheme", "https", "expected ws or http as scheme of the simulator, got 'https'"),
        ("symbols", ["BTC-USD"], "expected a mapping as symbols of the simulator, got a list"),
        ("symbols", {"BTC-USD": 7}, "expected texts of one line in symbols of the simulator, got an int"),
        ("symbols", {}, ""),
        ("credentials", {"key": 7}, "expected texts of one line in credentials of the simulator, got an int"),
        ("credentials", {}, ""),
        ("credentials", {"b": "x", "a": "x"}, "expected credentials of the simulator that the venue has, got a"),
        ("values", lambda config: {}, ""),
        ("values", lambda config: {"key": "x"}, VALUES),
        ("values", lambda config: {"region": "eu", "other": "x"}, VALUES),
        ("values", lambda config: ["region"], VALUES),
        ("values", lambda config: None, VALUES),
    ],
)
def test_what_a_simulated_endpoint_may_say(what: str, value: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_of(ENTRY, monkeypatch)
    check_endpoint(Simulated, entry)
    own = type("Own", (Simulated,), {what: staticmethod(value) if callable(value) else value})
    if not said:
        check_endpoint(own, entry)
        return
    with pytest.raises(ContractBroken) as raised:
        check_endpoint(own, entry)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    "needed", ["name", "scheme", "symbols", "credentials", "sockets", "posts", "services", "values"]
)
def test_what_a_simulated_endpoint_needs(needed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    has = {name: value for name, value in vars(Simulated).items() if name != needed and not name.startswith("__")}
    with pytest.raises(ContractBroken) as raised:
        check_endpoint(type("Half", (), has), entry_of(ENTRY, monkeypatch))
    assert str(raised.value) == f"expected {needed} in the simulator's class Half, got none"


def test_a_simulated_endpoint_is_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContractBroken) as raised:
        check_endpoint(Simulated(), entry_of(ENTRY, monkeypatch))
    assert str(raised.value) == "expected a class as simulator (mon_acme.simulator:Simulated), got a Simulated"


@pytest.mark.parametrize("commands", [True, False])
def test_what_commands_need(*, commands: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_of(ENTRY, monkeypatch)
    whole = {"kinds": {}, "command": None, "shown": None}
    for needed in whole:
        type(entry).commands = type("Half", (), {name: value for name, value in whole.items() if name != needed})()
        with pytest.raises(ContractBroken) as raised:
            check_entry(entry, "acme")
        assert str(raised.value) == f"expected {needed} in commands, got none"
    type(entry).commands = type("Whole", (), whole)() if commands else None
    check_entry(entry, "acme")
