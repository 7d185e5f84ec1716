"""What an output leaves behind once nobody has it any more."""

from __future__ import annotations

import fcntl
import gc
import os
import select

import pytest

from cli.output import lines, pipe
from cli.output.lines import JsonLines, Limit, Output
from cli.output.queues import EventQueue
from tests.test_slow_readers import needs_linux
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


@needs_linux
def test_who_is_woken_too_early_by_the_pipe_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else made the pipe larger again: it can be written to all the time, which wakes us all the time."""
    reader, writer = os.pipe()
    monkeypatch.setattr(lines, "STDOUT", writer)
    small = pipe.Pipe(writer)
    sink = JsonLines(numbers_as_strings=False, to_terminal=False, redactor=Redactor(), statuses=True)
    limit = Limit(count=None, once=False, ends_with_snapshot=False)
    output = Output(EventQueue(), sink, limit, lambda _: None, pipe=small)
    small.hand_over(1, more_wait=False)
    small.handed_over(os.write(writer, b"x\n"))
    assert small.watched()[0] == select.POLLOUT
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 65_536)
    output._wait()
    assert small.watched()[0] == 0
    os.close(reader)
    os.close(writer)
