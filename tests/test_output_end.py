"""What an output leaves behind once nobody has it any more."""

from __future__ import annotations

import gc
import os

from cli.output.lines import JsonLines, Limit, Output
from cli.output.queues import EventQueue
from venues.redaction import Redactor


def test_an_output_that_is_over_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    sink = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor(), statuses=True)
    output = Output(EventQueue(), sink, Limit(count=None, once=False, ends_with_snapshot=False), lambda _: None)
    output.start()
    output.finish()
    output.join(5)
    output.wake()  # whoever still has it may wake it
    assert len(os.listdir("/proc/self/fd")) == len(before) + 2
    del output, sink
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == len(before)
