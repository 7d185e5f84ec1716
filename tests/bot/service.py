"""A service that scripts ask over HTTP, on this machine: headlines, and what some vaults hold."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RSS = """\
<?xml version="1.0"?>
<rss><channel>
  <item><title>Coin gains a record</title></item>
  <item><title>Losses elsewhere</title></item>
</channel></rss>
"""
HELD = {"north": 1.2, "south": -0.5}


@contextlib.contextmanager
def service(slow: float = 0.0) -> Iterator[str]:
    """Its address. `slow` are the seconds that the first answer of each path takes."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path not in asked:
                time.sleep(slow)
            if path == "/rss":
                self._answer(200, RSS)
            elif (vault := query.removeprefix("vault=")) in HELD:
                self._answer(200, json.dumps({"vault": vault, "net": HELD[vault]}))
            else:
                self._answer(500, "no such vault")
            if slow:
                asked.add(path)

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
