"""`@cron.run(on='1h')`: at the beginning of each candle of a level, for whatever markets there are, with bars."""

from profitview import Link, cron


class Signals(Link):
    LOOK_BACK = 3

    @cron.run(on="1h")
    def follow(self):
        for src, symbols in self.market_streams.items():
            for sym in symbols:
                bars = self.get_bars(src, sym, "1h")
                now, then = bars.closes[-1], bars.closes[-1 - self.LOOK_BACK]
                self.signal(src, sym, size=0 if then != then else 1 if now > then else -1)
