"""`Link.__init__(self, *args, **kwargs)`, called by its name, and state that callbacks share."""

from collections import deque

from profitview import Link


class Signals(Link):
    LENGTH = 50

    def __init__(self, *args, **kwargs):
        Link.__init__(self, *args, **kwargs)
        self.window = {}
        self.side = {}

    def trade_update(self, src, sym, data):
        window = self.window.setdefault((src, sym), deque(maxlen=self.LENGTH))
        window.append(data["size"] if data["side"] == "Buy" else -data["size"])
        side = 1 if sum(window) > 0 else -1
        if side != self.side.get((src, sym)):
            self.side[src, sym] = side
            self.signal(src, sym, size=0.5 * side)
