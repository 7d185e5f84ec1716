"""A thread of its own that works off a queue, under a lock; and a timer that is set again and again."""

import os
import queue
import threading

from profitview import Link, logger

EVERY = 500
SECONDS = float(os.getenv("SCRIPT_SECONDS", "3600"))


class Signals(Link):
    EVERY = EVERY

    def on_start(self):
        self.prices = queue.Queue()
        self.lock = threading.RLock()
        self.high = None
        self.count = 0
        self.stopping = threading.Event()
        threading.Thread(target=self.work, name="worker", daemon=True).start()
        threading.Thread(target=self.watch, name="watcher", daemon=True).start()
        self.again()

    def trade_update(self, src, sym, data):
        self.prices.put((src, sym, data["price"]))

    def work(self):
        while True:
            src, sym, price = self.prices.get()
            with self.lock:
                self.count += 1
                self.high = price if self.high is None else max(self.high, price)
                if self.count % self.EVERY == 0:
                    self.signal(src, sym, size=-1 if price < self.high else 1)

    def watch(self):
        while not self.stopping.wait(SECONDS):
            with self.lock:
                self.publish("watched", {"count": self.count, "high": self.high})

    def again(self):
        timer = threading.Timer(SECONDS, self.again)
        timer.daemon = True
        timer.start()
        logger.debug("the next look is in %s s", SECONDS)
        self.publish("timer", self.unix_now)
