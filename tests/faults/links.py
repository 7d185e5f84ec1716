"""All links that have a proxy between their two ends. Another one is a line here, or a list like the venues'."""

from __future__ import annotations

from tests.faults import feed_link, relay_link, venue_links
from tests.faults.cases import Case, Link
from tests.faults.schedules import Draw

LINKS: tuple[Link, ...] = (
    *venue_links.links(),  # between `mon` and each stream of each simulated venue
    Link(relay_link.NAME, "bot", relay_link.case, relay_link.play),  # between a bot's relay and the simulated hub
    Link(feed_link.NAME, "bot", feed_link.case, feed_link.play),  # between clients and a bot's feed and webhooks
)


def venues() -> list[str]:
    """What stands at the other end, each once."""
    return list(dict.fromkeys(link.venue for link in LINKS))


def named(name: str) -> Link:
    """The link of that name."""
    return next(link for link in LINKS if link.name == name)


def case_of(seed: int, links: tuple[Link, ...] = LINKS) -> Case:
    """What a seed plays: the venues take turns, the seed draws which link of its venue."""
    every = list(dict.fromkeys(link.venue for link in links))
    of_venue = [link for link in links if link.venue == every[seed % len(every)]]
    return Draw(f"link {seed}").one_of(of_venue).case(seed)
