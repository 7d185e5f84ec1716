"""The list of WOO X's symbols, by `GET /v3/public/instruments`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venues import records
from venues.driver import answer_in_words
from venues.errors import BadMessage, VenueUnreachable
from venues.toolkit.decoding import DECODE_ERRORS, excerpt, explain
from venues.toolkit.numbers import optional_positive
from venues.toolkit.row_times import refuse_too_many
from venues.venue import HttpRequest
from venues.woox import messages as wire
from venues.woox.book import refuse_failure
from venues.woox.feeds import VENUE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from venues.records import Instrument
    from venues.venue import HttpResponse, Settings

KINDS = {"SPOT": "spot", "PERP": "perpetual"}


def instruments(settings: Settings) -> Generator[HttpRequest, HttpResponse, Sequence[Instrument]]:
    """All symbols, as the venue lists them.

    Raises:
        VenueUnreachable: the venue does not give the list now.
        BadMessage: the answer is not what the venue documents.
    """
    url = f"{settings.rest_url.rstrip('/')}/v3/public/instruments"
    answer = yield HttpRequest("GET", url, url)
    if answer.status != 200:
        said = answer_in_words(answer.status, excerpt(answer.body[:400].decode(errors="replace").strip(), 200))
        raise VenueUnreachable(f"{VENUE} gives no list of its symbols ({said})")
    try:
        refuse_failure(wire.SAID.decode(answer.body))
        rows = wire.INSTRUMENTS.decode(answer.body).data.rows
    except DECODE_ERRORS as error:
        raise BadMessage(f"{explain(error)} ({VENUE} instruments)") from None
    refuse_too_many(rows, "data.rows")
    return [
        records.Instrument(
            venue=VENUE,
            env=settings.label,
            symbol=row.symbol,
            received=answer.date_ms or 0,
            base=row.base,
            quote=row.quote,
            kind=KINDS.get(row.symbol.partition("_")[0]),
            price_step=optional_positive(row.price_step, f"data.rows[{index}].quoteTick"),
            size_step=optional_positive(row.size_step, f"data.rows[{index}].baseTick"),
            status=row.status,
        )
        for index, row in enumerate(rows)
    ]
