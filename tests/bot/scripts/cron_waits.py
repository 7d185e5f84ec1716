"""`cron.options['auto_start']`: the first run waits for its schedule."""

import os

from profitview import Link, cron

cron.options["auto_start"] = False


class Signals(Link):
    begun = None

    def on_start(self):
        self.begun = self.epoch_now

    @cron.run(every=float(os.getenv("SCRIPT_SECONDS", "3600")))
    def beat(self):
        self.publish("beat", round((self.epoch_now - self.begun) / 1000))
