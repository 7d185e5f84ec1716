"""Logs of exceptions that come at most once in a while, by the time of `Link`; the exception itself is caught."""

from profitview import Link, logger


class Signals(Link):
    SECONDS = 86_400
    told = {}

    def trade_update(self, src, sym, data):
        try:
            self.publish_gap(src, sym, data)
        except (KeyError, ZeroDivisionError) as error:
            self.tell(type(error).__name__, error)

    def publish_gap(self, src, sym, data):
        if int(data["size"] * 1e4) % 7 == 0:
            raise ZeroDivisionError(f"a size of {data['size']}")
        return data["no such field"]

    def tell(self, name, error):
        if self.unix_now - self.told.get(name, 0) >= self.SECONDS:
            self.told[name] = self.unix_now
            logger.error("%s, and no more of these for %d s: %s", name, self.SECONDS, error)
            self.publish("trouble", name)
