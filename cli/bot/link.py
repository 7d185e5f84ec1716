"""What a script imports from `profitview`: `Link`, `http` and `logger`, bound to the host that runs it."""

from __future__ import annotations

import types
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cli.bot.script import MODULE

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

T = TypeVar("T")
_NANOSECONDS = 1_000_000_000


class Host(Protocol):
    """What `Link` needs of whoever runs the script."""

    def epoch_ns(self) -> int:
        """The time, in nanoseconds since the epoch: the recorded one in a replay."""
        ...

    def signal(self, src: object, sym: object, figures: dict[str, object]) -> None:
        """Emit a signal. Raises ValueError for one that is none."""
        ...

    def publish(self, topic: object, data: object) -> None:
        """Emit a message. Raises TypeError or ValueError for one that is none."""
        ...


class Link:
    """The base of a script's class `Signals`."""

    mon_host: Host

    @property
    def now(self) -> datetime:
        """The current time, UTC (aware)."""
        return _moment(self.mon_host.epoch_ns())

    @property
    def unix_now(self) -> int:
        """The current time in whole seconds since the epoch."""
        return self.mon_host.epoch_ns() // _NANOSECONDS

    @property
    def epoch_now(self) -> int:
        """The current time in milliseconds since the epoch."""
        return self.mon_host.epoch_ns() // 1_000_000

    @property
    def second(self) -> float:
        """The second within the current minute, with its fraction."""
        return self.mon_host.epoch_ns() % (60 * _NANOSECONDS) / _NANOSECONDS

    @property
    def iso_now(self) -> str:
        """The current time as ISO 8601, UTC, e.g. 2023-03-09T12:22:52.949Z."""
        return _moment(self.mon_host.epoch_ns()).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def signal(
        self,
        src: str,
        sym: str,
        size: Any = None,
        mid: Any = None,
        bid: Any = None,
        ask: Any = None,
        quote: Any = None,
    ) -> None:
        """Emit a signal: exactly one of `size` (a position, -1 to 1), `mid`, `bid`, `ask` (a neutral, long or short
        grid) and `quote` (a fair value, or `[bid, ask]`).

        Raises:
            ValueError: anything else; nothing is emitted.
        """
        figures = {"size": size, "mid": mid, "bid": bid, "ask": ask, "quote": quote}
        self.mon_host.signal(src, sym, figures)

    def publish(self, topic: str, data: Any = None) -> None:
        """Emit a message on a topic: any data that JSON can carry; NaN becomes null.

        Raises:
            TypeError, ValueError: the data has no place in JSON; nothing is emitted.
        """
        self.mon_host.publish(topic, data)


class Http:
    """`@http.route` marks a method `get_x` or `post_x` as a webhook."""

    @staticmethod
    def route(method: T) -> T:
        """Marks a method."""
        if not callable(method):
            raise TypeError(f"expected @http.route above a method, got @http.route({method!r})")
        method.mon_route = True  # type: ignore[attr-defined]
        return method


def module_for(host: Host, logger: logging.Logger) -> tuple[types.ModuleType, type]:
    """The module that a script imports from, and its `Link`."""
    module = types.ModuleType(MODULE, "The helpers of mon's bot host.")
    link: Callable[..., Any] = type("Link", (Link,), {"mon_host": host, "__module__": MODULE, "__doc__": Link.__doc__})
    module.__dict__.update(Link=link, http=Http(), logger=logger, __all__=["Link", "http", "logger"])
    assert isinstance(link, type)
    return module, link


def _moment(epoch_ns: int) -> datetime:
    seconds, rest = divmod(epoch_ns, _NANOSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
