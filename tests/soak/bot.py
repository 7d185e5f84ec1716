"""The bot of the soak: it publishes the top of the book, and wants what is asked for at its webhooks."""

from profitview import Link, http, logger


class Signals(Link):
    def on_start(self):
        self.last = None
        self.trade_count = 0
        self.candle_count = 0

    def quote_update(self, src, sym, data):
        self.last = {"sym": sym, "bid": data["bid"][0], "ask": data["ask"][0]}
        self.publish("top", self.last)

    def trade_update(self, src, sym, data):
        self.trade_count += 1

    def candle_update_1m(self, src, sym, bars):
        self.candle_count += 1

    @http.route
    def get_last(self, data):
        return {"last": self.last, "trades": self.trade_count, "candles": self.candle_count}

    @http.route
    def post_position(self, data):
        logger.info("a position is asked for: %s", data)
        self.signal("nexus", data["pair"], size=data["size"])
        return {"wanted": data}
