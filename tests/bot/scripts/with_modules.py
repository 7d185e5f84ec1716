"""A module beside the script, a package in a sub-folder that is put on `sys.path`, and imports inside a callback."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "parts"))

import beside
from pricing import fair
from profitview import Link


class Signals(beside.Counts, Link):
    EVERY = 400

    def trade_update(self, src, sym, data):
        if self.is_due(self.EVERY):
            from pricing.rounding import to_tick

            value = fair.of(self, src, sym)
            if value is not None:
                self.signal(src, sym, quote=to_tick(value, 0.01))
