"""What runs in the soak. A new piece of `mon` is one more line here.

    Part(name, command, judge, market)

`command` is what is typed after `mon`. `judge` compares what its reader has at the end with the world's own figures; it
is one of `figures.py`, or says which (`heard`) cannot. Where it connects to is `line`:

- WORLD: the judged world, through a fault proxy
- BROKEN: a `mon sim` with faults of its own, which runs as a part too
- BOT: the feed of the part `bot`
- SERVER: it is a server itself: nothing to keep

`reader` is how it is read: PIPE, SLOW (a look now and then, a few lines each), TABLE (on a terminal, with keys and
resizing), or WORDS (it prints nothing that is kept).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.soak import figures
from tests.soak.figures import Judge

WORLD, BROKEN, BOT, SERVER = "world", "broken", "bot", "server"
PIPE, SLOW, TABLE = "pipe", "slow", "table"

BTC, ETH, SOL = "BTC_USDT", "ETH_USDT", "SOL_USDT"

# Each of the broken simulator's connections lives for so long, and meets all that its protocol can have in that time.
FAULTS: Final = (
    "--fault drop:23s --fault garbage:5s --fault gap:7s --fault skip:9s --fault checksum:11s --fault halt:13s"
)


# Scripts with threads, timers, schedules, locks and all that they can look up; the timers are of less than a second.
BOTS: Final = " ".join(f"{{scripts}}/{name}.py" for name in ("threads", "own_init", "looks_up", "two_sided", "levels"))


class Part(NamedTuple):
    """One process."""

    name: str
    command: str
    judge: Judge
    market: str = BTC
    line: str = WORLD
    reader: str = PIPE


PARTS: Final = (
    # the markets of all venues
    Part("nexus book", "book nexus SPOT_BTC_USDT", figures.book),
    Part("nexus quotes", "quotes nexus SPOT_ETH_USDT", figures.quotes, ETH),
    Part("nexus trades", "trades nexus SPOT_BTC_USDT", figures.trades),
    Part("nexus candles", "candles nexus SPOT_BTC_USDT", figures.candles),
    Part("b2trader book", "book b2trader spot.btc_usdt", figures.book),
    Part("b2trader quotes", "quotes b2trader spot.sol_usdt", figures.quotes, SOL),
    Part("b2trader candles", "candles b2trader spot.eth_usdt", figures.candles, ETH),
    Part("b2trader ticker", "ticker b2trader spot.btc_usdt", figures.ticker),
    Part("b2trader watchlist", "watchlist b2trader spot.btc_usdt", figures.ticker),
    Part("jayx book", "book jayx BTCUSDT", figures.book),
    Part("jayx quotes", "quotes jayx ETHUSDT", figures.quotes, ETH),
    Part("jayx trades", "trades jayx BTCUSDT", figures.trades),
    Part("jayx candles", "candles jayx SOLUSDT", figures.candles, SOL),
    Part("kraken book", "book kraken BTC/USD", figures.book),
    Part("kraken quotes", "quotes kraken ETH/USD", figures.quotes, ETH),
    Part("kraken trades", "trades kraken BTC/USD", figures.trades),
    Part("kraken candles", "candles kraken BTC/USD", figures.candles),
    Part("kraken ticker", "ticker kraken BTC/USD", figures.ticker),
    Part("kraken ping", "ping kraken", figures.heard),
    Part("woox book", "book woox SPOT_BTC_USDT", figures.book),
    Part("woox quotes", "quotes woox SPOT_SOL_USDT", figures.quotes, SOL),
    Part("woox trades", "trades woox SPOT_ETH_USDT", figures.trades, ETH),
    Part("woox candles", "candles woox SPOT_BTC_USDT", figures.candles),
    Part("woox ticker", "ticker woox SPOT_ETH_USDT", figures.ticker, ETH),
    # every stream of an account
    Part("nexus orders", "orders nexus SPOT_BTC_USDT", figures.orders_since),
    Part("nexus fills", "fills nexus SPOT_BTC_USDT", figures.fills),
    Part("nexus positions", "positions nexus SPOT_BTC_USDT", figures.holding),
    Part("b2trader orders", "orders b2trader", figures.orders),
    Part("b2trader positions", "positions b2trader", figures.positions),
    Part("b2trader closed", "closed b2trader", figures.closed),
    Part("b2trader balance", "balance b2trader", figures.balance),
    Part("b2trader margin", "margin b2trader", figures.margin),
    Part("jayx orders", "orders jayx BTCUSDT", figures.orders_since),
    Part("jayx positions", "positions jayx", figures.assets),
    Part("jayx balance", "balance jayx", figures.balance),
    # signals and messages
    Part("nbt signals", "signals nbt", figures.heard),
    Part("nbt feed", "feed nbt", figures.heard),
    Part("profitview feed", "feed profitview", figures.heard),
    # readers that take their time
    Part("slow book", "book b2trader spot.btc_usdt", figures.book, reader=SLOW),
    Part("slow balance", "balance jayx", figures.balance, reader=SLOW),
    # conditions: what is true of every record leaves all there is, and commands run beside it
    Part("where trades", "trades kraken BTC/USD --where size>0", figures.trades),
    Part("where orders", "orders b2trader --where received>0", figures.orders),
    Part("on book", "book nexus SPOT_BTC_USDT --on spread>0.5 --exec true", figures.book),
    Part("slow where", "book kraken BTC/USD --where mid>0", figures.book, reader=SLOW),
    # terminals
    Part("table", "book kraken BTC/USD", figures.heard, reader=TABLE),
    Part("dash nexus", "dash nexus SPOT_BTC_USDT", figures.heard, reader=TABLE),
    Part("dash b2trader", "dash b2trader spot.btc_usdt", figures.heard, reader=TABLE),
    # a bot with its relay, webhooks and feed, and readers of the feed
    Part("bot", "bot run {script} --market nexus:SPOT_BTC_USDT --listen {port} --relay nbt --yes", figures.heard),
    Part("bots", f"bot run {BOTS} --market nexus:SPOT_BTC_USDT --market jayx:BTCUSDT -q", figures.heard),
    Part("bot feed", "feed profitview top", figures.top_told, line=BOT),
    Part("bot feed slow", "feed profitview top", figures.heard, line=BOT, reader=SLOW),
    # a simulator with faults of its own, and what must bear them
    Part("mon sim", f"sim --seed 5 --rate 3 {FAULTS}", figures.heard, line=SERVER),
    Part("broken kraken", "book kraken BTC/USD", figures.heard, line=BROKEN),
    Part("broken b2trader", "book b2trader spot.btc_usdt", figures.heard, line=BROKEN),
    Part("broken woox", "book woox SPOT_BTC_USDT", figures.heard, line=BROKEN),
    Part("broken jayx", "balance jayx", figures.heard, line=BROKEN),
    Part("broken nexus", "trades nexus SPOT_BTC_USDT", figures.heard, line=BROKEN),
    Part("broken nbt", "signals nbt", figures.heard, line=BROKEN),
)
