"""`stop_trading` once it has lost too often; nothing comes from it afterwards, also not from its schedule."""

import os

from profitview import Link, cron

SECONDS = float(os.getenv("SCRIPT_SECONDS", "3600"))


class Signals(Link):
    LOSSES = 20
    losses = 0
    before = None

    def trade_update(self, src, sym, data):
        if self.before is not None and data["price"] < self.before:
            self.losses += 1
            self.signal(src, sym, size=0.1)
        self.before = data["price"]
        if self.losses >= self.LOSSES:
            self.signal(src, sym, size=0)
            self.stop_trading(f"{self.losses} times down")

    @cron.run(every=SECONDS)
    def alive(self):
        self.publish("alive", self.losses)
