"""A client of the bot's webhooks: it asks for positions, and remembers what the bot has taken last."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from typing import Any

from tests.faults.schedules import Draw

EVERY = 1.5  # seconds between two requests
PATIENCE = 3.0
SIZES = (1, 0.5, 0, -0.5, -1)


class Hooks:
    """The client, in a thread of its own: a bot that is stopped must not hold up whoever reads the pipes."""

    def __init__(self, port: int, token: str, seed: int) -> None:
        self.answered = 0
        self.unanswered = 0
        self.wrong: list[str] = []
        self.wanted: dict[str, float] = {}  # by pair: the size of the last request that was answered
        self._port = port
        self._token = token
        self._draw = Draw(f"hooks {seed}")
        self._pair = "S0"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def turn(self, number: int) -> None:
        """Another pair from now on: one of which nobody knows what the hub has is relayed no more."""
        self._pair = f"S{number}"

    def close(self) -> None:
        """Stop to ask."""
        self._over.set()
        self._thread.join(2 * PATIENCE + EVERY)

    def settle(self, pairs: Sequence[str]) -> None:
        """Ask once more for each of these pairs, while all is well: the bot's last word."""
        for pair in pairs:
            self.position(pair, self._draw.one_of(SIZES))

    def position(self, pair: str, size: float) -> bool:
        """Ask for a position; whether the bot has taken it."""
        answer = self._ask("POST", "position", {"pair": pair, "size": size})
        if answer is None:
            return False
        if answer != {"wanted": {"pair": pair, "size": size}}:
            self.wrong.append(f"POST position: {answer}")
        self.wanted[pair] = size
        return True

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            self.position(self._pair, self._draw.one_of(SIZES))
            if (answer := self._ask("GET", "last")) is not None and not {"last", "trades", "candles"} <= answer.keys():
                self.wrong.append(f"GET last: {answer}")

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(
                method,
                f"/trading/signal/{self._token}/{path}",
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException):  # it is stopped, or not there yet
            self.unanswered += 1
            return None
        finally:
            connection.close()
        self.answered += 1
        if response.status != 200 or not isinstance(answer.get("data"), dict):
            self.wrong.append(f"{method} {path}: {response.status} {answer}")
            return None
        data: dict[str, Any] = answer["data"]
        return data
