"""The conditions of one stream's run, compiled before anything is opened, and what they change in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output.chosen import Standing, chosen_fields, template_of
from cli.output.conditions import condition
from cli.output.fields import Fields
from cli.output.standing import Stands
from cli.run.alerts import Alerts, Program
from cli.run.edges import Edges
from cli.run.judging import Judge, Judged
from cli.settings.environment import for_a_command
from venues.errors import UsageError
from venues.streams import STREAMS
from venues.venue import has_full_states, has_several

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.output.conditions import Condition
    from cli.run.alerts import Stage
    from cli.run.options import StreamRequest
    from venues.records import Record
    from venues.redaction import Redactor
    from venues.venue import Now, Offer, Subscription

COOLDOWN_MS = 1_000  # from one run to the next, on events
EXEC_TIMEOUT_MS = 30_000
LONGEST_FLAG = 40  # characters of a condition in a header


class Conditioned:
    """What a request asks for with conditions."""

    def __init__(self, request: StreamRequest, subscription: Subscription, offer: Offer, *, as_table: bool) -> None:
        """Compile the conditions.

        Raises:
            UsageError: one of them is none on records of this stream.
        """
        self._request = request
        self._subscription = subscription
        self._offer = offer
        self._as_table = as_table
        self.fields = fields_for(request, subscription, as_table=as_table)
        self._where = None if request.where is None else condition(request.where, self.fields, "--where")
        self._until = None if request.until is None else condition(request.until, self.fields, "--until")
        self._on, self._rearm, self._program = None, None, None
        if request.on:
            check_on(request)
            (on,) = request.on
            self._on = condition(on, self.fields, "--on")
            self._rearm = None if request.rearm is None else condition(request.rearm, self.fields, "--rearm")
            self._program = None if request.exec is None else Program(request.exec, self.fields)
        self.chosen = () if request.fields is None else chosen_fields(request.fields, self.fields)
        self.template = None if request.template is None else template_of(request.template, self.fields)

    @property
    def chooses(self) -> bool:
        """Whether lines are made of what is chosen from the records."""
        return bool(self.chosen) or self.template is not None

    @property
    def judges(self) -> bool:
        """Whether there is any condition."""
        return bool(self._conditions())

    def _conditions(self) -> list[Condition]:
        return [one for one in (self._where, self._until, self._on, self._rearm) if one is not None]

    @property
    def answers(self) -> bool:
        """Whether nothing is printed but the match of --until."""
        return self._until is not None and self._where is None and not self._as_table

    def _stands(self) -> Stands:
        one = self._subscription
        return Stands(one.stream, one.symbols if has_several(one) else (), partial=self._offer.partial)

    def standing(self, now: Callable[[], Now]) -> Standing | None:
        """How the stream stands for lines that say it; None where none do."""
        is_replay = self._request.replay is not None
        return Standing(self._stands(), now, is_replay=is_replay) if self.chooses else None

    def alerts(self, stage: Stage, redactor: Redactor) -> Alerts | None:
        """What --on does; None where it is not given."""
        if self._on is None:
            return None
        request, is_event = self._request, STREAMS[self._subscription.stream].kind == "event"
        return Alerts(
            self._program,
            request.bell,
            stage,
            lambda: for_a_command(lambda value: redactor.text(value) != value),
            redactor,
            " ".join(self._on.text.split()),
            parallel=request.exec_parallel or 1,
            timeout=(request.exec_timeout or EXEC_TIMEOUT_MS) / 1000,
            cooldown=self._cooldown_ms(is_event=is_event) / 1000,
        )

    def _cooldown_ms(self, *, is_event: bool) -> int:
        given = self._request.cooldown
        return (COOLDOWN_MS if is_event else 0) if given is None else given

    def judge(self, *, now: Callable[[], Now], alerts: Alerts | None = None) -> Judge:
        """The judge of a run; `now` is when what is being delivered came."""
        stream, one = STREAMS[self._subscription.stream], self._subscription
        symbols = one.symbols if has_several(one) else ()
        is_state = stream.kind == "state"
        is_keyed = stream.keyed or (has_full_states(stream, self._offer) and (bool(symbols) or self._as_table))
        stands_for = is_state and not self._offer.partial and (self._request.once or self._as_table)
        how = Judged(
            stream.record,
            events=not is_state,
            rows=is_keyed or (self._as_table and stream.name == "quotes"),
            stands_for=stands_for,
            answers=self.answers,
            count=self._request.count if self._counts(is_state=is_state) else None,
        )
        if self.answers and self._request.once:
            if not is_state or self._offer.partial:
                how.count = 1
            else:
                how.once = "snapshot_end" if has_full_states(stream, self._offer) else "record"
        return Judge(
            how,
            self._stands(),
            now=now,
            where=self._where,
            until=self._until,
            edges=self._edges(how),
            conditions=self._conditions(),
            fire=(lambda record, key, stand: None) if alerts is None else alerts.fire,
            symbols=symbols,
            with_age=self._program is not None,
        )

    def _edges(self, how: Judged) -> Edges | None:
        if self._on is None:
            return None
        has_ends = has_full_states(STREAMS[self._subscription.stream], self._offer)
        return Edges(self._on, self._rearm, events=how.events, rows=has_ends, skip_first=self._request.skip_first)

    def _counts(self, *, is_state: bool) -> bool:
        """Whether --count is of what is judged: where all of that is printed, or nothing but a match."""
        return self.answers or (self._until is not None and (not is_state or self._request.replay is not None))

    def flags(self) -> list[str]:
        """What a table's header says of them."""
        if self._where is None:
            return []
        text = " ".join(self._where.text.split())
        return [f"where {text if len(text) <= LONGEST_FLAG - 6 else text[: LONGEST_FLAG - 7] + '…'}"]

    def missing(self, judge: Judge, *, printed: bool, match_printed: bool) -> str | None:
        """What was asked for and has not come: a match; None when nothing is missing.

        `match_printed`: that of `--until` is not behind what `--once` or `--count` asked for.
        """
        if self._until is not None:
            return None if judge.match is not None and match_printed else "no match of --until came"
        waits = self._request.once and self._where is not None and not printed
        if waits and (STREAMS[self._subscription.stream].kind == "event" or self._offer.partial):
            return "no match of --where came"
        return None


def check_on(request: StreamRequest) -> None:
    """Check what goes with --on.

    Raises:
        UsageError: it is given more than once, or does nothing.
    """
    if request.on is not None and len(request.on) > 1:
        raise UsageError(f"expected --on once, got it {len(request.on)} times")
    if request.exec is None and not request.bell:
        raise UsageError("--on does nothing without --exec CMD or --bell")
    if request.exec is None:
        for option in ("exec_parallel", "exec_timeout"):
            if getattr(request, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')} applies to --exec only")


def fields_for(request: StreamRequest, subscription: Subscription, *, as_table: bool) -> Fields:
    """What expressions may speak of. A table has every level of a book, unless --depth says otherwise."""
    stream = STREAMS[subscription.stream]
    depth = request.depth if as_table else subscription.depth
    return Fields(stream.name, stream.record, depth)


def good_until(judge: Judge, limit: Callable[[Record], float | None] | None) -> Callable[[Record], float | None]:
    """Until when what has passed may be handed over: as the limit says, and what is superseded not for long."""

    def until(record: Record) -> float | None:
        dues = [judge.good_until(record), None if limit is None else limit(record)]
        return min((due for due in dues if due is not None), default=None)

    return until
