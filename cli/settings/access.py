"""What it takes to reach a venue: its settings, and where its secrets come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from venues.redaction import SHORTEST_BY_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venues.venue import Settings

_warned_of: set[str] = set()


@dataclass(frozen=True)
class Source:
    """One value, or how to get it, and where that was said (`origin`, for messages)."""

    kind: str  # "value", "file" or "command"
    value: Any = field(repr=False)
    origin: str


@dataclass(frozen=True)
class Access:
    """Everything needed to reach a venue: settings without secrets, and where the secrets come from."""

    settings: Settings
    secrets: Mapping[str, Source]
    proxy: str | None = field(repr=False)  # may have a password in it
    say: Callable[[str], None] | None = field(default=None, repr=False)  # to a person

    async def fetch(self) -> dict[str, str]:
        """The secrets by name; commands are run again each time, off the loop, and ended when this is cancelled.

        Raises:
            SetupError: one cannot be had.
        """
        import asyncio
        import threading

        from cli.settings.credentials import obtain

        unwanted = threading.Event()
        try:
            secrets = {
                name: await asyncio.to_thread(obtain, name, source, unwanted) for name, source in self.secrets.items()
            }
        finally:
            unwanted.set()
        self._warn_of_short(secrets)
        return secrets

    def _warn_of_short(self, secrets: Mapping[str, str]) -> None:
        for name, value in secrets.items():
            origin = self.secrets[name].origin
            if self.say is not None and len(value) < SHORTEST_BY_VALUE and origin not in _warned_of:
                _warned_of.add(origin)
                self.say(
                    f"the {name} from {origin} is shorter than {SHORTEST_BY_VALUE} characters: mon hides it where mon "
                    "sends it, but not where the venue repeats it"
                )
