"""A game with what a bot wants of a hub (`cli.bot.hub.positions`), as `tests.model.games`, whose file it is in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from cli.bot.hub.positions import HubPositions
from cli.bot.market_data import MarketName
from venues.errors import UsageError
from venues.nbt import NBT
from venues.records import Quote, Signal, Trade

STEPS = 700
MARKETS = (MarketName("nexus", "A"), MarketName("nexus", "B"), MarketName("woox", "B"), MarketName("woox", "C"))


class _Game:
    def __init__(self, title: str, watched: tuple[MarketName, ...]) -> None:
        self.noted: list[str] = []
        self._random = Random(title)
        self._now = 1_000.0
        self._watched = watched
        self._positions = HubPositions("rsi", NBT.commands, watched)

    def _note(self, *what: Any) -> None:
        self.noted.append(
            f"{self._now - 1_000:8.2f} {' '.join(one if isinstance(one, str) else repr(one) for one in what)}"
        )

    def play(self) -> list[str]:
        """All of it; everything that was noted."""
        moves = [move for move, often in MOVES.items() for _ in range(often)]
        for number in range(STEPS):
            if number % 100 == 99:  # what is in doubt stays so: the bot is run anew
                self._positions = HubPositions("rsi", NBT.commands, self._watched)
            self._now += self._random.choice((0.0, 0.1, 0.5, 2.0, 11.0))
            move = self._random.choice(moves)
            self._note("--", move.__name__)
            move(self, self._random.choice(MARKETS))
            self._look()
        return self.noted

    def _look(self) -> None:
        one = self._positions
        self._note("steps", *(f"{step} ({one.waits(step, self._now)})" for step in one.outstanding()))
        self._note("next", one.next_step(self._now), one.moment(self._now), one.wished())
        self._note(
            "has", one.positions(), one.open_positions(), sorted(one.doubts()), [one.position(m) for m in MARKETS]
        )

    def _price(self) -> Decimal | None:
        return self._random.choice((None, Decimal(0), Decimal("-1.5"), Decimal("7.25"), Decimal(9)))

    def _quote(self, market: MarketName) -> None:
        unit = self._random.choice((None, None, "ticks"))
        quote = Quote(
            venue=market.venue, symbol=market.symbol, received=1, bid_price=self._price(), ask_price=self._price()
        )
        self._positions.quote(_with_unit(quote, unit))

    def _trade(self, market: MarketName) -> None:
        unit = self._random.choice((None, None, "ticks"))
        price = self._price() or Decimal(5)
        trade = Trade(venue=market.venue, symbol=market.symbol, received=1, price=price, size=Decimal(1), side="buy")
        self._positions.trade(_with_unit(trade, unit))

    def _wish(self, market: MarketName) -> None:
        size = self._random.choice((Decimal(-1), Decimal(0), Decimal(1), Decimal("0.2"), None))
        more = {} if size is not None or self._random.random() < 0.5 else {"mid": Decimal(1)}
        signal = Signal(venue=market.venue, symbol=market.symbol, received=1, name="signal", size=size, **more)
        source = self._random.choice((None, *MARKETS))
        self._note("unfit", self._positions.unfit(signal), "replaces", self._positions.wish(signal, self._now, source))

    def _odd_wish(self, market: MarketName) -> None:
        signal = Signal(venue=market.venue, symbol="\n", received=1, name="signal", size=Decimal(1))
        self._note("unfit", self._positions.unfit(signal))

    def _hold(self, market: MarketName) -> None:
        try:
            self._positions.hold(market, self._random.choice(("flat", "long", "short", None)))
        except UsageError as error:
            self._note("refused", str(error))

    def _send(self, market: MarketName) -> None:
        step = self._positions.next_step(self._now)
        if step is None:
            return
        self._positions.begun(step)
        self._look()
        if self._random.random() < 0.3:
            self._wish(market)
        match self._random.choice(("sent", "sent", "sent", "sent", "refused", "unsent", "doubted")):
            case "refused":
                self._positions.refused(step, self._now)
            case "sent":
                self._positions.sent(step)
            case "unsent":
                self._positions.unsent(step)
            case _:
                self._positions.doubted(step)

    def _down(self, market: MarketName) -> None:
        self._positions.down(market)

    def _live(self, market: MarketName) -> None:
        self._positions.live(market)

    def _withdraw(self, market: MarketName) -> None:
        self._note("withdrawn", self._positions.withdraw(market))

    def _expire(self, market: MarketName) -> None:
        self._note("expired", self._positions.expired(self._now))


def _with_unit(record: Any, unit: str | None) -> Any:
    from msgspec.structs import replace

    return replace(record, price_unit=unit)


MOVES: dict[Callable[[_Game, MarketName], None], int] = {
    _Game._quote: 4,
    _Game._trade: 2,
    _Game._wish: 6,
    _Game._odd_wish: 1,
    _Game._hold: 1,
    _Game._send: 7,
    _Game._down: 1,
    _Game._live: 3,
    _Game._withdraw: 1,
    _Game._expire: 3,
}


def parts() -> dict[str, Callable[[], list[str]]]:
    """Each game by its title."""
    watched = {"hub with all markets": MARKETS, "hub with one market": MARKETS[:1]}
    return {
        title: lambda title=title, markets=markets: _Game(title, markets).play() for title, markets in watched.items()
    }
