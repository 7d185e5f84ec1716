"""What a request asks for, checked against the venue and, for a replay, against the recording."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cli.output.symbols import named
from venues import venue_named
from venues.errors import UsageError
from venues.made import routes_of
from venues.venue import EVERY_LEVEL, Settings, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.run.options import StreamRequest
    from venues.recording import Header, Recording
    from venues.venue import Venue


def asked_for(request: StreamRequest, recording: Recording | None) -> tuple[Venue, Subscription]:
    """The venue and the subscription, checked.

    Raises:
        UsageError: the venue has no such stream, or the symbols do not fit.
    """
    venue = venue_named(request.venue)
    offer = venue.streams.get(request.stream)
    if offer is None:
        raise UsageError(f"{venue.name} has no stream {request.stream}; it has: {', '.join(venue.streams)}")
    symbols = request.names()
    if recording is not None:
        symbols = _recorded_symbols(request, recording, venue, narrowing=offer.symbols == "any")
    if offer.symbols == "none" and symbols:
        raise UsageError(f"{request.stream} of {venue.name} takes no symbol, got {' '.join(symbols)}")
    if offer.symbols in ("one", "many") and not symbols:
        raise UsageError(
            f"{request.stream} of {venue.name} needs a symbol, e.g. mon {request.stream} {venue.name} {venue.example}"
        )
    if offer.symbols == "one" and len(symbols) > 1:
        raise UsageError(f"{request.stream} of {venue.name} takes one symbol, got {' '.join(symbols)}")
    if offer.symbols == "many" and recording is None:
        symbols = tuple(dict.fromkeys(symbols))  # one named twice is one
    for symbol in symbols:
        check_symbol(venue, symbol, request.env, request.profile)
    recorded = _recorded_subscription(recording, venue, request.stream, symbols)
    _check_options(request, venue, None if recording is None else recorded)
    subscription = Subscription(
        request.stream,
        symbols,
        depth=request.depth or recorded.depth,
        interval=recorded.interval if request.interval is None else request.interval,
        options={**recorded.options, **request.own},
    )
    routes_of(venue, [subscription], Settings(url=""))  # whatever is wrong with it is said before anything is opened
    return venue, subscription


def check_symbol(venue: Venue, symbol: str, env: str | None = None, profile: str | None = None) -> None:
    """Check the form of a symbol that is asked for.

    Raises:
        UsageError: it is another one; the text has the venue's form, and what may be meant.
    """
    try:
        venue.check_symbol(symbol)
    except UsageError as error:
        from cli.run.suggestions import in_another_form  # for the words of an error only

        raise in_another_form(error, venue, symbol, env, profile) from None


def _check_options(request: StreamRequest, venue: Venue, recorded: Subscription | None) -> None:
    """Check that each option means something at the venue. A recording keeps what its venue was asked with."""
    has = venue.streams[request.stream].options
    own = {option.name for option in venue.options}
    for name in request.own:
        if name not in own or name not in has:
            raise UsageError(f"--{name} does not apply to {request.stream} of {venue.name}")
    if recorded is None:
        return
    for name in has:
        made_with = recorded.options.get(name) if name in own else getattr(recorded, name)
        given = request.own.get(name) if name in own else getattr(request, name)
        if given not in (None, made_with):
            raise UsageError(f"{request.replay} was recorded with {_said(venue, name, made_with)}")


def _said(venue: Venue, name: str, value: str | None) -> str:
    """An option as it was given, e.g. `--precise 10`; a flag by its name alone."""
    is_flag = any(option.name == name and not option.takes for option in venue.options)
    return f"no --{name}" if not value else f"--{name}" if is_flag else f"--{name} {value}"


def check_for_table(subscription: Subscription, venue: Venue) -> None:
    """Check that a table can show all that is asked for: a book and candles fill it with one symbol.

    Raises:
        UsageError: it is of several; the text says how they are had.
    """
    stream, symbols = subscription.stream, subscription.symbols
    if stream in _ONE_IN_A_TABLE and len(symbols) > 1:
        raise UsageError(
            f"a table of {stream} takes one symbol, got {named(symbols)}: "
            f"take one, e.g. mon {stream} {venue.name} {symbols[0]}, or lines of all of them with -o jsonl"
        )


_ONE_IN_A_TABLE = ("book", "candles")


def flags_of(venue: Venue, subscription: Subscription) -> list[str]:
    """The venue's own options of the stream that are switches, each with its setting, e.g. "precise: true"."""
    has = venue.streams[subscription.stream].options
    return [
        f"{option.name}: {subscription.options.get(option.name, 'false')}"
        for option in venue.options
        if not option.takes and option.name in has
    ]


def for_table(subscription: Subscription) -> Subscription:
    """The subscription of a table. Its view shows as much of a book as fits, and sums up what lies in a group."""
    if subscription.stream != "book":
        return subscription
    return replace(subscription, depth=EVERY_LEVEL)


def _recorded_subscription(
    recording: Recording | None, venue: Venue, stream: str, symbols: tuple[str, ...]
) -> Subscription:
    """What a recording was made with, or the defaults."""
    header = None if recording is None else recording.header.of(venue.name)
    made_with = [one for one in header.asked_for() if one.stream == stream] if header is not None else []
    found = next((one for one in made_with if one.symbols == symbols), made_with[0] if made_with else None)
    return Subscription(stream) if found is None else replace(found, symbols=())


def _recorded_symbols(
    request: StreamRequest, recording: Recording, venue: Venue, *, narrowing: bool
) -> tuple[str, ...]:
    """What the recording was made with; where names are only a filter, another one may be asked for (`narrowing`)."""
    header = recorded_at(request, recording, venue)
    has = streams_of(venue, header)
    if request.stream not in has:
        raise UsageError(f"{request.replay} is a recording of {', '.join(has) or 'nothing'}, not of {request.stream}")
    subscriptions = [one for one in header.subscriptions if one.stream == request.stream] or header.subscriptions
    recorded = list(dict.fromkeys(one.symbols for one in subscriptions)) or [()]
    if request.names() in recorded or (narrowing and request.names()):
        return request.names()
    if request.names():
        raise UsageError(f"{request.replay} is a recording of {either(recorded)}")
    first, *others = recorded
    if others:
        raise UsageError(f"{request.replay} is a recording of {either(recorded)}: name the one to be played")
    return first


def recorded_at(request: StreamRequest, recording: Recording, venue: Venue) -> Header:
    """What a recording has of a venue.

    Raises:
        UsageError: the recording has nothing of that venue.
    """
    header = recording.header.of(venue.name)
    if header is None:
        places = " and ".join(one.venue for one in recording.header.venues())
        raise UsageError(f"{request.replay} is a recording of {places}, not of {venue.name}")
    return header


def streams_of(venue: Venue, header: Header) -> list[str]:
    """The streams that a recording has: those that it was made of, and those that came along unasked."""
    asked = list(dict.fromkeys(one.stream for one in header.subscriptions))
    along = [name for name, offer in venue.streams.items() if offer.unasked]
    return list(dict.fromkeys([*asked, *along])) if not set(asked).isdisjoint(along) else asked


def either(recorded: Sequence[tuple[str, ...]]) -> str:
    """The symbols of several subscriptions in words, for an error."""
    return " and of ".join(" ".join(symbols) or "no symbol" for symbols in recorded)
