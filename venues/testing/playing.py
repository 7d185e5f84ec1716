"""Plays events through the driver and the sessions of one route, as a connection would."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from venues import events
from venues.driver import Driver
from venues.errors import MonError
from venues.made import routes_of
from venues.venue import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from venues.driver import Delivered
    from venues.recording import Header
    from venues.testing.watching import Watch
    from venues.venue import Dial, HttpRequest, Out, Route, Venue


class Play:
    """One route of a venue, made from a recording's header. With a `watch`, each call of its sessions is watched."""

    def __init__(
        self,
        venue: Venue,
        header: Header,
        *,
        secrets: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        apart: bool = False,
    ) -> None:
        subscriptions = header.asked_for()
        route: Route
        (route,) = routes_of(venue, subscriptions, header.settings())
        if watch is not None:
            route = watch.over(route)
        self.driver = Driver(route, subscriptions, venue=venue.name, label="replay", apart=apart)
        self.secrets = secrets or {name: f"[{name}]" for name in venue.secrets}
        self._opening: Generator[HttpRequest, HttpResponse, Dial] | None = None

    def begin(self, draw: float) -> None:
        """Begins a connection, up to the first answer that it needs before it dials."""
        self._opening = self.driver.begin(self.secrets, draw).opening()
        self.answer(None)

    def answer(self, response: HttpResponse | None) -> bool:
        """Answers the request before dialling; False once there is none. An error of ours is what a venue may say."""
        if self._opening is None:
            return False
        with contextlib.suppress(StopIteration, MonError):
            if response is None:
                next(self._opening)
            else:
                self._opening.send(response)
            return True
        return False

    def feed(self, event: events.Event) -> list[Delivered]:
        """What an event of a recording delivers."""
        if isinstance(event, events.Dialled):
            self.begin(event.draw)
            return []
        if isinstance(event, events.Requested):
            self.answer(HttpResponse(event.status, event.body.encode()))
            return []
        return events.apply(event, self.driver)

    def take(self) -> list[Out]:
        """The frames to send since the last call."""
        return self.driver.take()
