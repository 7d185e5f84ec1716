"""Where lines go: the sink that a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output.lines import STDOUT, JsonLines, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.output.chosen import Standing
    from cli.output.lines import Sink
    from cli.run.conditioned import Conditioned
    from cli.run.options import StreamRequest
    from venues.redaction import Redactor
    from venues.streams import Stream
    from venues.venue import Now


def line_sink(
    request: StreamRequest,
    stream: Stream,
    conditioned: Conditioned | None,
    redactor: Redactor,
    now: Callable[[], Now],
) -> tuple[Sink, Standing | None]:
    """The sink for lines; beside it how the stream stands for the sink, where that needs to know it."""
    to_terminal = is_terminal(STDOUT)
    standing = None if conditioned is None else conditioned.standing(now)
    as_rows = request.output in ("csv", "tsv")
    if conditioned is not None and standing is not None and conditioned.template is not None:
        from cli.output.chosen import TemplateLines

        return TemplateLines(conditioned.template, standing, redactor=redactor, once=request.once), standing
    if as_rows:
        from cli.output.columns import CsvLines

        rows = CsvLines(
            stream.record,
            to_terminal=to_terminal,
            redactor=redactor,
            with_match=request.where is not None,
            tabs=request.output == "tsv",
            chosen=None if conditioned is None or standing is None else (conditioned.chosen, standing),
        )
        return rows, standing
    as_strings, statuses = request.numbers == "string", request.status == "inline"
    if conditioned is not None and standing is not None:
        from cli.output.chosen import FieldLines

        fields = FieldLines(
            conditioned.chosen,
            standing,
            numbers_as_strings=as_strings,
            to_terminal=to_terminal,
            redactor=redactor,
            statuses=statuses,
        )
        return fields, standing
    lines = JsonLines(numbers_as_strings=as_strings, to_terminal=to_terminal, redactor=redactor, statuses=statuses)
    return lines, None
