"""`@cron.run(every=…)` beside a callback that fills what it reads; the seconds come from the environment."""

import os

from profitview import Link, cron

SECONDS = float(os.getenv("SCRIPT_SECONDS", "3600"))


class Signals(Link):
    SHARE = 0.25

    def on_start(self):
        self.up = self.down = 0
        self.last = None

    def trade_update(self, src, sym, data):
        if self.last is not None:
            self.up += data["price"] > self.last["price"]
            self.down += data["price"] < self.last["price"]
        self.last = data
        self.where = src, sym

    @cron.run(every=SECONDS)
    def count_up(self):
        if getattr(self, "last", None) is None:
            return
        up, down, self.up, self.down = self.up, self.down, 0, 0
        self.signal(*self.where, size=self.SHARE if up > down else -self.SHARE if down > up else 0)
        self.publish("counted", {"up": up, "down": down, "at": self.iso_now})
