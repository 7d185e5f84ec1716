"""`__init__(*args, **kwargs)` that makes its state before `super().__init__`; a lock between callback and schedule."""

import os
import threading

from profitview import Link, cron

HALF_LIFE = 300


class Signals(Link):
    def __init__(self, *args, **kwargs):
        self._guard = threading.Lock()
        self._mean, self._seen = None, 0
        super().__init__(*args, **kwargs)

    def trade_update(self, src, sym, data):
        with self._guard:
            self._seen += 1
            before = data["price"] if self._mean is None else self._mean
            self._mean = before + (data["price"] - before) / HALF_LIFE
            self._market = (src, sym, data["price"])

    @cron.run(every=float(os.getenv("SCRIPT_SECONDS", "3600")))
    def lean(self):
        with self._guard:
            if self._mean is None:
                return
            mean, seen, (src, sym, price) = self._mean, self._seen, self._market
        self.signal(src, sym, size=max(-1.0, min(1.0, (mean - price) / mean * 50)))
        self.publish("mean", {"seen": seen, "mean": round(mean, 6)})
