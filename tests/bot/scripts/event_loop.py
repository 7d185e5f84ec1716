"""An event loop of its own in a thread; a recording has no time for what waits there."""

import asyncio
import threading

from profitview import Link


class Signals(Link):
    SECONDS = 0.5

    def on_start(self):
        threading.Thread(target=lambda: asyncio.run(self.turn()), name="event loop", daemon=True).start()

    async def turn(self):
        await asyncio.sleep(self.SECONDS)
        self.publish("turned", self.SECONDS)
