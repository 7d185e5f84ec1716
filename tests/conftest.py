"""The same tests however they are started; where everything is installed (CI), one that skips counts as failed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

# A package of its own, which tests/test_plugin.py installs and tests.
collect_ignore = ["plugin"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("mon", deadline=None)
settings.load_profile("mon")


def pytest_configure() -> None:
    # A script that starts us in the background has us ignore these, and every `mon` that a test starts would too.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    report = yield
    if report.skipped and os.environ.get("MON_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and must run here: {call.excinfo and call.excinfo.value}"
    return report
