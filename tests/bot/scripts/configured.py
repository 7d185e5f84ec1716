"""Settings from a `.env` file beside the script and the environment, read once when it is loaded."""

import os
from pathlib import Path

from profitview import Link, logger


def read_settings(path):
    """Put each NAME=VALUE of a file into the environment, unless it is there."""
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith("#"):
            os.environ.setdefault(name.strip(), value.strip().strip("\"'"))


read_settings(Path(__file__).with_name("configured.env"))
BAND = float(os.getenv("CONFIGURED_BAND", "0.1"))
NAME = os.environ["CONFIGURED_NAME"]


class Signals(Link):
    def on_start(self):
        self.anchor = {}
        logger.info("%s: a band of %s", NAME, BAND)

    def trade_update(self, src, sym, data):
        price = data["price"]
        anchor = self.anchor.setdefault((src, sym), price)
        if abs(price / anchor - 1) > BAND / 100:
            self.anchor[src, sym] = price
            self.publish(NAME, {"from": anchor, "to": price})
