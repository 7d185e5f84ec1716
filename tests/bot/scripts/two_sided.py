"""A market maker's `quote=[bid, ask]` and a message for dashboards at each quote, read with `get`."""

import math

from profitview import Link, logger


class Signals(Link):
    BPS = 2.0
    MEMORY = 0.98
    REPORT_EVERY = 2_000

    def __init__(self, *args, **kwargs):
        self.variance, self.before, self.quotes_seen = 0.0, None, 0
        super().__init__(*args, **kwargs)

    def quote_update(self, src, sym, data):
        bid, ask = data.get("bid", [0, 0])[0], data.get("ask", [0, 0])[0]
        if not bid or not ask:
            return
        middle = (bid + ask) / 2
        if self.before:
            self.variance = self.MEMORY * self.variance + (1 - self.MEMORY) * math.log(middle / self.before) ** 2
        self.before = middle
        self.quotes_seen += 1
        half = max((ask - bid) / 2, middle * self.BPS / 10_000, middle * math.sqrt(self.variance))
        if self.quotes_seen % self.REPORT_EVERY == 0:
            logger.info("%s: %d quotes, the latest %d ms old", sym, self.quotes_seen, self.epoch_now - data["time"])
        self.signal(src, sym, quote=[middle - half, middle + half])
        self.publish("two_sided", {"sym": sym, "middle": middle, "half_bps": round(half / middle * 1e4, 3)})
