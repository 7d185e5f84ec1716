"""Which sink a request's lines go to, and what that is told of the request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cli.run import sinks
from cli.run.options import StreamRequest
from cli.run.sinks import line_sink
from venues.redaction import Redactor
from venues.streams import STREAMS
from venues.venue import Now

STANDING = SimpleNamespace()


def made(
    monkeypatch: pytest.MonkeyPatch, conditioned: Any, **given: Any
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The kind of the sink and what it is made with; beside it the standing, as long as it is that of the lines."""

    def kind(name: str) -> Any:
        return lambda *values, **named: (name, values, named)

    for module, name in (
        ("cli.output.chosen", "TemplateLines"),
        ("cli.output.chosen", "FieldLines"),
        ("cli.output.columns", "CsvLines"),
        ("cli.run.sinks", "JsonLines"),
    ):
        monkeypatch.setattr(f"{module}.{name}", kind(name))
    monkeypatch.setattr(sinks, "is_terminal", lambda descriptor: descriptor == 1)
    request = StreamRequest("v", ["A"], **{"output": "jsonl", **given})
    sink: Any
    sink, standing = line_sink(request, STREAMS["trades"], conditioned, Redactor(), lambda: Now(0.0, 0))
    assert standing is (None if conditioned is None else conditioned.standing(None))
    name, values, named = sink
    del named["redactor"]
    return name, values, named


def conditioned(*, chosen: Any = (), template: Any = None, stands: bool = True) -> Any:
    return SimpleNamespace(standing=lambda now: STANDING if stands else None, chosen=chosen, template=template)


FILTERS = conditioned(stands=False)  # with --where alone nothing is chosen
FIELDS = conditioned(chosen=("price",))
TEMPLATE = conditioned(template="t")


@pytest.mark.parametrize("of", [None, FILTERS])
@pytest.mark.parametrize(
    ("given", "strings", "statuses"),
    [
        ({}, False, True),
        ({"numbers": "string"}, True, True),
        ({"status": "stderr"}, False, False),
        ({"numbers": "string", "status": "stderr"}, True, False),
    ],
)
def test_lines_of_json(
    of: Any, given: dict[str, Any], strings: bool, statuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"numbers_as_strings": strings, "to_terminal": True, "statuses": statuses}
    assert made(monkeypatch, of, **given) == ("JsonLines", (), told)
    assert made(monkeypatch, FIELDS, **given) == ("FieldLines", (("price",), STANDING), told)


@pytest.mark.parametrize(("of", "chosen"), [(None, None), (FILTERS, None), (FIELDS, (("price",), STANDING))])
@pytest.mark.parametrize(("output", "tabs"), [("csv", False), ("tsv", True)])
@pytest.mark.parametrize("where", [None, "price > 1"])
def test_rows(
    of: Any, chosen: Any, output: str, tabs: bool, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made(monkeypatch, of, output=output, where=where) == (
        "CsvLines",
        (STREAMS["trades"].record,),
        {"to_terminal": True, "with_match": where is not None, "tabs": tabs, "chosen": chosen},
    )


@pytest.mark.parametrize("once", [False, True])
def test_lines_of_a_template_whatever_the_output_is(once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for output in ("auto", "csv", "jsonl"):
        assert made(monkeypatch, TEMPLATE, output=output, once=once) == (
            "TemplateLines", ("t", STANDING), {"once": once},
        )  # fmt: skip
