"""How a venue's list is had: from its entry, from the simulator, or by asking; with or without secrets; and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import symbol_lists as module
from cli.run.symbol_lists import KEPT_WITHIN, Lists
from tests.run.timeless import run, seconds
from venues.errors import SetupError, UsageError
from venues.venue import Offer


def own_list() -> Generator[Any, Any, list[str]]:
    """A list that the venue's entry knows by itself."""
    yield from ()
    return ["its own"]


def request() -> Generator[Any, Any, list[str]]:
    """A list that one request brings."""
    yield "a request"
    return []


class Venue:
    """A venue whose list is made anew each time it is asked for."""

    name = "v"

    def __init__(
        self, listed: Any = None, *, has_list: bool = True, markets: Any = (), public: bool = True, secrets: Any = ()
    ) -> None:
        self.has_list, self.markets, self.secrets = has_list, list(markets), secrets
        self.streams = {"book": Offer("b", public=public)}
        self._listed = listed

    def symbol_list(self, settings: Any) -> Any:
        return None if self._listed is None else self._listed()


class Stage:
    """Lists whose ways out are noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, env: str | None = None, url: str = "wss://v", **access: Any):
        self.done: list[Any] = []
        self.env = env
        self.kinds: list[str] = []
        label = "sim" if env == "sim" else None
        self._access = SimpleNamespace(settings=SimpleNamespace(url=url, label=label), secrets={}, **access)
        monkeypatch.setattr(module, "has_list", lambda venue: venue.has_list)
        monkeypatch.setattr(module, "simulated_markets", lambda venue: venue.markets)
        monkeypatch.setattr(module, "no_list", lambda venue: UsageError("it has none"))
        monkeypatch.setattr(module, "access_for_symbols", self._for_symbols)
        monkeypatch.setattr(module, "access_to", self._to)

    async def _for_symbols(self, venue: Any, env: Any, profile: Any, embedded: Any, say: Any) -> Any:
        self.done.append(("access", env, profile))
        return self._access

    async def _to(self, venue: Any, env: Any, profile: Any, embedded: Any, say: Any) -> Any:
        self.done.append(("access with secrets", env, profile))
        secrets = {kind: SimpleNamespace(kind=kind) for kind in self.kinds}
        return SimpleNamespace(settings=SimpleNamespace(url="wss://set", label=None), secrets=secrets)

    def of(self, venue: Any, **how: Any) -> Any:
        async def beside(work: Any) -> Any:
            return await work

        async def instruments(listed: Any, *, within: float) -> list[str]:
            self.done.append(("asked", within))
            if isinstance(listed, Generator):
                assert next(listed) == "a request", "it is a new one"
            return ["what it sent"]

        async def keep(venue: Any, access: Any, found: Any) -> None:
            self.done.append(("kept", found))

        made: Any = Lists(self.env, "p", None, SimpleNamespace(beside=beside))  # type: ignore[arg-type]
        made._listing = lambda venue, access: SimpleNamespace(
            checked=lambda found: ("checked", access.settings.url, found), instruments=instruments
        )
        made._keep = keep
        return asyncio.run(made.of(venue, 9.0, **how))


NOTED = ("access", None, "p")


def test_a_venue_without_a_list_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for env, venue, opened in (
        (None, Venue(has_list=False, markets=["M"]), []),
        ("sim", Venue(has_list=False), []),
        (None, Venue(None, markets=["M"]), [NOTED]),
        ("sim", Venue(None), [("access", "sim", "p")]),
    ):
        stage = Stage(monkeypatch, env=env)
        with pytest.raises(UsageError, match="it has none"):
            stage.of(venue)
        assert stage.done == opened


@pytest.mark.parametrize("has_list", [False, True])
def test_the_simulator_lists_its_markets(has_list: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, env="sim")
    assert stage.of(Venue(None, has_list=has_list, markets=["M"])) == ("checked", "wss://v", ["M"])
    assert stage.done == [("access", "sim", "p")]


def test_nobody_is_asked_for_what_the_entry_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("wss://v", ""):
        stage = Stage(monkeypatch, url=url)
        assert stage.of(Venue(own_list, public=False, secrets=["key"])) == ("checked", url, ["its own"])
        assert stage.done == [NOTED]


@pytest.mark.parametrize(
    ("venue", "more"),
    [
        (Venue(request, public=False, secrets=["key"]), []),  # requests need no secrets
        (Venue(lambda: "a subscription", secrets=["key"]), []),  # nor do public streams
        (Venue(lambda: "a subscription", public=False), []),  # nor who has none
        (Venue(lambda: "a subscription", public=False, secrets=["key"]), [("access with secrets", None, "p")]),
    ],
)
def test_what_the_venue_sends_is_kept(venue: Any, more: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    assert stage.of(venue) == ["what it sent"]
    assert stage.done == [NOTED, *more, ("asked", 9.0), ("kept", ["what it sent"])]


def test_what_the_simulator_sends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, env="sim")
    assert stage.of(Venue(request)) == ["what it sent"]
    assert stage.done == [("access", "sim", "p"), ("asked", 9.0)]


def test_without_an_address_it_is_said_what_is_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, url="")
    assert stage.of(Venue(request)) == ["what it sent"]
    assert stage.done[:2] == [NOTED, ("access with secrets", None, "p")]


@pytest.mark.parametrize(
    ("kinds", "ask_programs", "refused"),
    [(["value"], False, False), (["value", "command"], False, True), (["command"], True, False), ([], False, False)],
)
def test_a_command_that_gives_a_secret_is_run_only_for_who_has_asked(
    kinds: list[str], ask_programs: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(monkeypatch)
    stage.kinds = kinds
    venue = Venue(lambda: "a subscription", public=False, secrets=["key"])
    if not refused:
        assert stage.of(venue, ask_programs=ask_programs) == ["what it sent"]
        return
    with pytest.raises(SetupError) as error:
        stage.of(venue, ask_programs=ask_programs)
    assert str(error.value) == "the list of v needs a secret that a command gives, which is not run for it"


@pytest.mark.parametrize(("env", "of"), [(None, None), ("beta", "beta"), ("sim", None)])
def test_a_list_is_kept_where_it_is_looked_for(
    env: str | None, of: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(module, "place_of", lambda name, env, settings: (name, env, settings))
    monkeypatch.setattr(module, "keep", lambda *given: kept.append(given))
    monkeypatch.setattr(module, "epoch_ms", lambda: 7)
    made: Any = Lists(env, None, None, None)  # type: ignore[arg-type]
    asyncio.run(made._keep(SimpleNamespace(name="v"), SimpleNamespace(settings="s"), ["A"]))
    assert kept == [(("v", of, "s"), ["A"], 7)]


def test_a_disk_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "place_of", lambda *given: given)
    monkeypatch.setattr(module.asyncio, "to_thread", hangs)

    async def go() -> None:
        made: Any = Lists(None, None, None, None)  # type: ignore[arg-type]
        await made._keep(SimpleNamespace(name="v"), SimpleNamespace(settings="s"), [])
        assert seconds() == KEPT_WITHIN

    run(go())
