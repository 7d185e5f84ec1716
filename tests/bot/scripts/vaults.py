"""Follows what others hold: class attributes with lists of dicts, and a service that answers JSON, or does not."""

import json
import os
import urllib.parse
import urllib.request

from profitview import Link, cron, logger

SERVICE = os.getenv("VAULTS_URL", "http://127.0.0.1:9")


class Signals(Link):
    SRC = "bitmex"
    VAULTS = [
        {"name": "north", "symbol": "XBTUSD", "share": 0.75},
        {"name": "south", "symbol": "ETHUSD", "share": 0.25},
        {"name": "nowhere", "symbol": "SOLUSD", "share": 0.5},
    ]
    held = {}

    def ask(self, name):
        query = urllib.parse.urlencode({"vault": name})
        with urllib.request.urlopen(f"{SERVICE}/positions?{query}", timeout=5) as answer:
            return json.load(answer)

    @cron.run(every=86_400)
    def follow(self):
        for vault in self.VAULTS:
            try:
                net = self.ask(vault["name"])["net"]
            except (OSError, ValueError, KeyError) as error:
                logger.warning("%s: %s; what is held stays", vault["name"], error)
                continue
            size = max(-1, min(1, net * vault["share"]))
            if size != self.held.get(vault["name"]):
                self.held[vault["name"]] = size
                self.signal(self.SRC, vault["symbol"], size=size)
