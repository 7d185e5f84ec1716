"""Webhooks: `http.route` above `get_…` and `post_…`, with what callbacks have kept."""

from profitview import Link, http, logger


class Signals(Link):
    EVERY = 2_000
    prices = {}
    seen = 0

    def trade_update(self, src, sym, data):
        self.prices[sym] = data["price"]
        self.seen += 1
        if self.seen % self.EVERY == 0:
            self.publish("prices", self.prices)

    @http.route
    def get_price(self, data):
        return {"price": self.prices.get(data.get("sym"))}

    @http.route
    def post_position(self, data):
        logger.info("asked for %s", data)
        self.signal(data["src"], data["sym"], size=data["size"])
        return {"done": True}
