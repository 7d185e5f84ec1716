"""`@cron.run(expr=…)`: at half past six on working days, UTC, and once at the start."""

from profitview import Link, cron, logger


class Signals(Link):
    def on_start(self):
        logger.info("wakes at 06:30 UTC, Monday to Friday")

    @cron.run(expr="30 6 * * 1-5")
    def wake(self):
        self.publish("woken", [self.now.strftime("%a %H:%M"), self.unix_now])
