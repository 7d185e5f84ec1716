"""The dicts and methods of the page: venues, markets, instruments, health, latest quotes and trades."""

import os

from profitview import Link, cron

SECONDS = float(os.getenv("SCRIPT_SECONDS", "3600"))


class Signals(Link):
    @cron.run(every=SECONDS)
    def look(self):
        live = {feed["src"]: feed["live"] for feed in self.health["public"]}
        for name, venue in self.venues.items():
            for sym in self.market_streams[name]:
                tick = self.instruments[name][sym].get("tick_size", 0.01)
                bid, price = self.last_quote(name, sym, "bid"), self.last_trade(name, sym, key="price")
                same = sym in self.quotes.get(name, {}) and self.quotes[name][sym]["bid"] == bid
                self.publish("looked", {"venue": venue["src"], "live": live[name], "tick": tick, "same": same})
                if bid is not None and price is not None and live[name]:
                    self.signal(name, sym, bid=bid[0] - tick, ask=price + tick, mid=(bid[0] + price) / 2)
