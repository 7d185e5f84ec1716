"""Venues of other packages, looked up and loaded in this process: whole answers, and each message whole.

What becomes of them at the command line: tests/test_plugins.py.
"""

from __future__ import annotations

import decimal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.made_plugins import ENTRY, FILES, SIMULATOR, changed, distribution, make
from venues import VENUES, plugins, simulated
from venues.errors import SetupError
from venues.plugins import LONGEST_WORDS, NAMELESS, Plugin, found, load, load_endpoint, loaded, owner
from venues.toolkit.guard import ContractBroken

ACME = Plugin("acme", "mon_acme:ACME", "mon-acme 0.3")
WHO = "the venue acme of mon-acme 0.3"
MORE = ENTRY.replace('name = "acme"', 'name = "more"').replace("venues.acme", "venues.more")
HOW_TO_GO_ON = "; install another version of it, or set MON_PLUGINS=0 to do without plug-ins"


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with distributions, and beside it only what Python itself has; nothing is loaded yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *(one for one in sys.path if "packages" not in one)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(plugins, "_loaded", {})
    before = set(sys.modules)
    found.cache_clear()
    yield folder
    found.cache_clear()
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def offered(*built_in: str) -> list[Plugin]:
    found.cache_clear()
    return [*found(built_in)]


def refused(plugin: Plugin = ACME) -> str:
    """What is said when it cannot be loaded."""
    with pytest.raises(SetupError) as raised:
        load(plugin)
    return str(raised.value)


def said(entry: str, site: Path) -> str:
    """What is said of a plug-in with this code, between its name and what to do."""
    make(site, entry=entry)
    words = refused()
    assert words.startswith(f"{WHO} cannot be ")
    assert words.endswith(HOW_TO_GO_ON)
    return words.removeprefix(f"{WHO} cannot be ").removesuffix(HOW_TO_GO_ON)


def entry_points(site: Path, name: str, text: str | bytes, *, version: str = "1.0") -> None:
    """A distribution with that text as its entry points."""
    distribution(site, name, version, {}, {})
    file = site / f"{name.replace('-', '_')}-{version}.dist-info" / "entry_points.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


# --- what is offered -----------------------------------------------------------------------------------------------


def test_a_venue_is_found_by_what_its_distribution_says_and_not_imported(site: Path) -> None:
    assert offered() == []
    make(site)
    assert offered("nexus") == [ACME]
    assert "mon_acme" not in sys.modules
    assert ACME.in_words() == WHO


def test_they_are_in_the_order_of_their_names(site: Path) -> None:
    distribution(site, "b-first", "1", {"zeta": "z:Z", "beta": "b:B"}, {})
    distribution(site, "a-second", "2", {"gamma": "c:C", "alpha": "a:A"}, {})
    assert offered() == [
        Plugin("alpha", "a:A", "a-second 2"),
        Plugin("beta", "b:B", "b-first 1"),
        Plugin("gamma", "c:C", "a-second 2"),
        Plugin("zeta", "z:Z", "b-first 1"),
    ]


def test_they_are_looked_up_once(site: Path) -> None:
    make(site)
    first = found(("nexus",))
    distribution(site, "another", "1", {"beta": "b:B"}, {})
    assert found(("nexus",)) is first
    assert [one.name for one in offered("nexus")] == ["acme", "beta"]


@pytest.mark.parametrize("name", ["a", "acme", "a9", "a9b", "bots", "nexus2"])
def test_names_that_can_be(name: str, site: Path) -> None:
    distribution(site, "mon-acme", "0.3", {name: "mon_acme:ACME"}, {})
    assert offered("nexus", "nbt") == [Plugin(name, "mon_acme:ACME", "mon-acme 0.3")]


NO_NAME = 'the venue {0} of mon-acme 0.3: expected a name of a-z and 0-9 that begins with a letter, got "{0}"'


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Acme", NO_NAME),
        ("acmE", NO_NAME),
        ("9", NO_NAME),
        ("9a", NO_NAME),
        ("a-b", NO_NAME),
        ("a_b", NO_NAME),
        ("é", NO_NAME),
        ("bot", "the venue bot of mon-acme 0.3: the name bot is one that mon uses itself; it needs another"),
        (
            "nexus",
            "the venue nexus of mon-acme 0.3 is left out: "
            "mon itself has a venue of that name, and no plug-in takes its place",
        ),
    ],
)
def test_names_that_cannot_be(name: str, fault: str, site: Path) -> None:
    make(site)
    distribution(site, "mon-acme", "0.3", {name: "mon_acme:ACME"}, {})
    (plugin,) = offered("nexus", "nbt")
    assert plugin == Plugin(name, "mon_acme:ACME", "mon-acme 0.3", fault.format(name))
    assert refused(plugin) == plugin.fault
    assert "mon_acme" not in sys.modules


def test_what_is_wrong_with_a_name_comes_before_that_it_is_there_twice(site: Path) -> None:
    for name in ("one", "two"):
        distribution(site, name, "1", {"Acme": "a:A", "bot": "b:B", "nexus": "n:N"}, {})
    faults = [one.fault.partition(" 1")[2] for one in offered("nexus")]
    assert [fault.split(",")[0] for fault in faults] == [
        *[": expected a name of a-z and 0-9 that begins with a letter"] * 2,
        *[": the name bot is one that mon uses itself; it needs another"] * 2,
        *[" is left out: mon itself has a venue of that name"] * 2,
    ]


def test_a_name_is_offered_by_one_distribution_only(site: Path) -> None:
    make(site)
    distribution(site, "an-acme", "9", {"acme": "an_acme:ACME", "other": "an_acme:OTHER"}, {})
    fault = "the venue acme is offered twice, by an-acme 9 and mon-acme 0.3: neither is loaded; uninstall one of them"
    first, second, other = offered("nexus")
    assert {first, second} == {ACME._replace(fault=fault), Plugin("acme", "an_acme:ACME", "an-acme 9", fault)}
    assert other == Plugin("other", "an_acme:OTHER", "an-acme 9")
    assert refused(first) == fault


def test_a_distribution_that_offers_a_name_twice_is_named_once(site: Path) -> None:
    entry_points(site, "an-acme", "[mon.venues]\nacme = a:A\nacme = b:B\n")
    fault = "the venue acme is offered twice, by an-acme 1.0: neither is loaded; uninstall one of them"
    assert offered() == [Plugin("acme", "a:A", "an-acme 1.0", fault), Plugin("acme", "b:B", "an-acme 1.0", fault)]


def test_what_a_distribution_says_twice_it_says_once(site: Path) -> None:
    make(site)
    again = site / "mon_acme.egg-info"
    again.mkdir()
    (again / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: mon-acme\nVersion: 0.3\n")
    (again / "entry_points.txt").write_text("[mon.venues]\nacme = mon_acme:ACME\n")
    assert offered() == [ACME]


@pytest.mark.parametrize("version", ["0.3", "0.1", "9"])
def test_a_distribution_that_a_nearer_one_hides_offers_nothing(version: str, site: Path, tmp_path: Path) -> None:
    make(site)
    distribution(tmp_path / "farther", "mon-acme", version, {"old": "mon_acme:OLD"}, {})
    sys.path.append(str(tmp_path / "farther"))
    assert offered() == [ACME]
    distribution(tmp_path / "farther", "another", version, {"old": "mon_acme:OLD"}, {})
    assert offered() == [ACME, Plugin("old", "mon_acme:OLD", f"another {version}")]


def test_of_two_versions_in_a_folder_one_is_hidden(site: Path) -> None:
    for version in ("1", "2"):
        distribution(site, "mon-acme", version, {"acme": "mon_acme:ACME"}, {})
    (plugin,) = offered()
    assert plugin in [Plugin("acme", "mon_acme:ACME", f"mon-acme {version}") for version in ("1", "2")]


@pytest.mark.parametrize(
    ("text", "plugin"),
    [
        ("", None),
        ("[console_scripts]\nmon = x:Y\n", None),
        ("[console_scripts]\nno entry point\n", None),
        ("[mon.venues.others]\nx = x:X\n", None),
        (b"[mon.venues]\n\xff = a:B\n", None),
        ("[mon.venues]\n", None),
        ("[console_scripts]\nmon = x:Y\n[mon.venues]\nx=y:Z[extra]\n", Plugin("x", "y:Z[extra]", "odd 1.0")),
        (
            "[mon.venues]\na\x1bb = x:X\n",
            Plugin("a�b", "x:X", "odd 1.0", NO_NAME.format("a�b").replace("mon-acme 0.3", "odd 1.0")),
        ),
    ],
)
def test_what_entry_points_say(text: str | bytes, plugin: Plugin | None, site: Path) -> None:
    entry_points(site, "odd", text)
    assert offered() == ([] if plugin is None else [plugin])


def test_a_distribution_without_entry_points_offers_nothing(site: Path) -> None:
    distribution(site, "plain", "1.0", {}, {})
    (site / "plain-1.0.dist-info" / "entry_points.txt").unlink()
    assert offered() == []


@pytest.mark.parametrize(
    ("metadata", "label"),
    [
        ("Name: x\nVersion: 2\n", "x 2"),
        ("Name: x\x1b\nVersion: 2\n", "x� 2"),
        ("Name: x\n", NAMELESS),
        ("Version: 2\n", NAMELESS),
        ("", NAMELESS),
        (None, NAMELESS),
        (b"\xff", NAMELESS),
    ],
)
def test_a_distribution_is_named_by_its_metadata(metadata: str | bytes | None, label: str, site: Path) -> None:
    distribution(site, "x", "2", {"acme": "a:A"}, {})
    file = site / "x-2.dist-info" / "METADATA"
    if metadata is None:
        file.unlink()
    else:
        file.write_bytes(metadata if isinstance(metadata, bytes) else metadata.encode())
    assert offered() == [Plugin("acme", "a:A", label)]


def test_entry_points_that_cannot_be_read_are_the_fault(site: Path) -> None:
    for name in ("one", "two"):
        entry_points(site, name, "[mon.venues]\nno entry point\n")
    faults = [(plugin.name, plugin.where, *plugin.fault.partition(" TypeError: ")) for plugin in offered()]
    assert sorted(fault[:4] for fault in faults) == [
        ("", "", f"the entry points of {name} 1.0 cannot be read:", " TypeError: ") for name in ("one", "two")
    ]
    assert all(fault[4].endswith(HOW_TO_GO_ON) for fault in faults)


# --- loading -------------------------------------------------------------------------------------------------------


def test_a_venue_is_loaded_once(site: Path) -> None:
    make(site)
    assert loaded() == []
    venue = load(ACME)
    assert (venue.name, venue.example, loaded()) == ("acme", "BTC-USD", [ACME])
    (site / "mon_acme" / "__init__.py").write_text("1 / 0\n")
    assert load(ACME) is venue
    assert loaded() == [ACME]
    distribution(site, "more", "1", {}, {"more.py": MORE})
    other = Plugin("more", "more:ACME", "more 1")
    assert load(other).name == "more"
    assert loaded() == [ACME, other]


@pytest.mark.parametrize(
    "where",
    [
        *("mon_acme:ACME", " mon_acme : ACME ", "mon_acme:ACME[extra]", "mon_acme:ACME [a, b]"),
        *("mon_acme:Holder.ACME", "mon_acme.deep.er:ACME"),
    ],
)
def test_where_an_entry_may_be(where: str, site: Path) -> None:
    holder = "\n\nclass Holder:\n    ACME = ACME\n"
    deep = {"mon_acme/deep/__init__.py": "", "mon_acme/deep/er.py": ENTRY}
    distribution(site, "mon-acme", "0.3", {}, FILES | deep | {"mon_acme/__init__.py": ENTRY + holder})
    assert load(ACME._replace(where=where)).name == "acme"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        *(
            (where, f'expected an entry point such as mon_acme:ACME, got "{where}"')
            for where in (
                *("mon_acme", "mon_acme:", ":ACME", ":", "", "mon acme:ACME", "mon-acme:ACME", "mon_acme:A-B"),
                *("mon_acme:A:B", "mon_acme:ACME()", "[mon_acme:ACME]"),
            )
        ),
        ("mon_acme:NO", "expected NO in the module mon_acme, which has no such name"),
        ("mon_acme:ACME.no", "expected ACME.no in the module mon_acme, which has no such name"),
        ("mon_acme:no.name", "expected no.name in the module mon_acme, which has no such name"),
    ],
)
def test_where_an_entry_cannot_be(where: str, words: str, site: Path) -> None:
    make(site)
    assert refused(ACME._replace(where=where)) == f"{WHO} cannot be used: {words}{HOW_TO_GO_ON}"
    assert loaded() == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("import no_such_module\n", "loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(7)\n", "loaded: SystemExit: 7"),
        ("raise SystemExit\n", "loaded: SystemExit"),
        ("raise KeyboardInterrupt\n", "loaded: KeyboardInterrupt"),
        ("class Odd(BaseException): pass\nraise Odd('x')\n", "loaded: Odd: x"),
        ("class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd\n", "loaded: Odd"),
        ("raise ValueError('  a\\n\\tb  c ')\n", "loaded: ValueError: a b c"),
        ("raise ValueError('a\\x1b[2J\\u202eb')\n", "loaded: ValueError: a�[2J�b"),
        ("ACME = 7\n", "used: expected a venue made from venues.venue.BaseVenue, got an int"),
        (
            changed('name = "acme"', 'name = "other"'),
            "used: expected \"acme\" as name, as the entry point has it, got 'other'",
        ),
    ],
)
def test_what_goes_wrong_while_it_is_loaded(entry: str, words: str, site: Path) -> None:
    assert said(entry, site) == words
    assert loaded() == []


@pytest.mark.parametrize("length", [LONGEST_WORDS - 1, LONGEST_WORDS, LONGEST_WORDS + 1, 2 * LONGEST_WORDS])
def test_what_it_says_itself_is_cut(length: int, site: Path) -> None:
    text = "x" * (length - len("ValueError: "))
    whole = f"ValueError: {text}"
    cut = whole if length <= LONGEST_WORDS else whole[: LONGEST_WORDS - 1] + "…"
    assert len(cut) <= LONGEST_WORDS
    assert said(f"raise ValueError({text!r})\n", site) == f"loaded: {cut}"


def test_long_words_of_the_check_are_cut_too(site: Path) -> None:
    make(site)
    words = refused(ACME._replace(where="x" * 400))
    assert words.removeprefix(f"{WHO} cannot be used: ").removesuffix(HOW_TO_GO_ON) == (
        'expected an entry point such as mon_acme:ACME, got "'.ljust(LONGEST_WORDS - 1, "x") + "…"
    )


def test_the_cause_of_a_refusal_is_kept(site: Path) -> None:
    make(site, entry="1 / 0\n")
    for where, kind in (("mon_acme:ACME", ZeroDivisionError), ("", ContractBroken)):
        with pytest.raises(SetupError) as raised:
            load(ACME._replace(where=where))
        assert isinstance(raised.value.__cause__, kind)


def test_a_simulator_that_cannot_be_loaded_is_told_of_where_all_are_listed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(site, simulator="1 / 0\n")
    monkeypatch.setattr("venues.VENUES", {"nexus": VENUES["nexus"]})
    monkeypatch.setattr("venues._used", [])
    warned: list[str] = []
    assert [endpoint.name for endpoint in simulated.all_endpoints(warned.append)] == ["nexus"]
    assert warned == [f"{WHO} cannot be loaded: ZeroDivisionError: division by zero{HOW_TO_GO_ON}"]


def test_ctrl_c_while_it_is_loaded_is_not_its_own(site: Path) -> None:
    make(site, entry="import elsewhere\n")
    (site / "elsewhere.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load(ACME)


def test_what_it_prints_is_for_stderr(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    make(site, entry="print('loaded')\n" + ENTRY)
    load(ACME)
    assert sys.stdout is before
    make(site, entry="print('broken')\n1 / 0\n")
    del sys.modules["mon_acme"]
    with pytest.raises(SetupError):
        load(ACME._replace(name="other"))
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "loaded\nbroken\n")


def test_the_precision_that_it_sets_is_its_own(site: Path) -> None:
    before = decimal.getcontext().prec
    make(site, entry="import decimal\ndecimal.getcontext().prec = 3\n" + ENTRY)
    load(ACME)
    assert decimal.getcontext().prec == before


# --- its simulator -------------------------------------------------------------------------------------------------


def test_its_endpoint_is_the_class_that_it_names(site: Path) -> None:
    make(site)
    endpoint = load_endpoint(ACME, load(ACME))
    assert (endpoint.__name__, endpoint.__module__) == ("Simulated", "mon_acme.simulator")


@pytest.mark.parametrize(
    ("simulator", "words"),
    [
        ("import no_such_module\n", "loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("", "used: expected Simulated in the module mon_acme.simulator, which has no such name"),
        (
            "Simulated = 7\n",
            "used: expected a class as simulator (mon_acme.simulator:Simulated), got an int",
        ),
        (
            SIMULATOR.replace('name = "acme"', 'name = "nexus"'),
            "used: expected \"acme\" as name of the simulator, got 'nexus'",
        ),
    ],
)
def test_an_endpoint_that_is_none(simulator: str, words: str, site: Path) -> None:
    make(site, simulator=simulator)
    venue = load(ACME)
    with pytest.raises(SetupError) as raised:
        load_endpoint(ACME, venue)
    assert str(raised.value) == f"{WHO} cannot be {words}{HOW_TO_GO_ON}"


# --- whose fault an exception is -----------------------------------------------------------------------------------


def raised_by(call: Any, *arguments: Any) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        call(*arguments)
    return raised.value


def test_an_exception_is_its_own_where_its_code_is_on_the_way(site: Path) -> None:
    calls = "\n\ndef called():\n    return int('x')\n\n\ndef calls(one):\n    one()\n"
    make(site, entry=ENTRY + calls)
    (site / "mon_acme" / "part.py").write_text("def called():\n    1 / 0\n")
    (site / "mon_acmeb.py").write_text("def called():\n    1 / 0\n")
    load(ACME)
    import mon_acme  # type: ignore[import-not-found]
    import mon_acmeb  # type: ignore[import-not-found]
    from mon_acme import part  # type: ignore[import-not-found]

    for call, arguments in ((mon_acme.called, ()), (part.called, ()), (mon_acme.calls, (lambda: 1 / 0,))):
        assert owner(raised_by(call, *arguments)) == ACME
    assert owner(raised_by(mon_acmeb.called)) is None
    assert owner(raised_by(lambda: 1 / 0)) is None
    assert owner(ValueError("never raised")) is None


def test_of_two_plugins_it_is_the_one_that_called_the_other(site: Path) -> None:
    make(site, entry=ENTRY + "\n\ndef calls(one):\n    one()\n")
    more = MORE + "\n\ndef called():\n    1 / 0\n"
    distribution(site, "more", "1", {}, {"more.py": more})
    other = Plugin("more", "more:ACME", "more 1")
    load(other)
    load(ACME)
    import mon_acme
    import more as module  # type: ignore[import-not-found]

    assert owner(raised_by(module.called)) == other
    assert owner(raised_by(mon_acme.calls, module.called)) == ACME


def test_what_breaks_the_contract_is_its_venues(site: Path) -> None:
    make(site)
    assert owner(ContractBroken("x", venue="acme")) is None, "it is not loaded"
    load(ACME)
    assert owner(ContractBroken("x", venue="acme")) == ACME
    assert owner(ContractBroken("x", venue="nexus")) is None
    assert owner(ContractBroken("x")) is None
