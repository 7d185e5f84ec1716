"""A service's headlines over HTTP, scored, each minute of the schedule; it has no callback for a market at all."""

import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET

from profitview import Link, cron, logger

FEED = os.getenv("HEADLINES_URL", "http://127.0.0.1:9/rss")
GOOD, BAD = {"up", "gains", "record"}, {"down", "losses", "ban"}


class Signals(Link):
    SRC, SYM = "bitmex", "XBTUSD"

    @cron.run(on="1d")
    def read(self):
        try:
            with urllib.request.urlopen(FEED, timeout=5) as answer:
                titles = [item.findtext("title") or "" for item in ET.parse(answer).iter("item")]
        except (OSError, ET.ParseError) as error:
            logger.warning("no headlines: %s", error)
            return
        words = [word for title in titles for word in title.lower().split()]
        good, bad = sum(word in GOOD for word in words), sum(word in BAD for word in words)
        self.signal(self.SRC, self.SYM, size=(good - bad) / max(1, good + bad))
