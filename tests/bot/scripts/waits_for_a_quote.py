"""`on_start` that loops, and sleeps, until there is a quote; then it goes on for ever beside the callbacks."""

import os
import time

from profitview import Link, logger

SECONDS = float(os.getenv("SCRIPT_SECONDS", "3600"))


class Signals(Link):
    latest = None

    def quote_update(self, src, sym, data):
        self.latest = src, sym, data

    def on_start(self):
        while self.latest is None:
            time.sleep(0.05)
        logger.info("the first quote is here")
        before = None
        while True:
            src, sym, data = self.latest
            middle = (data["bid"][0] + data["ask"][0]) / 2
            if before is not None:
                self.signal(src, sym, mid=middle, size=(middle > before) - (middle < before))
            before = middle
            self.publish("middle", middle)
            time.sleep(SECONDS)
