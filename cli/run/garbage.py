"""When Python looks for garbage: rarely while a line is open, and once after each."""

from __future__ import annotations

import gc

SELDOM = (50_000, 20, 100)


def calm_collector() -> None:
    """Let Python look for garbage rarely, which is a tenth of the speed: our frames make no cycles."""
    gc.freeze()
    gc.set_threshold(*SELDOM)


def collect_after_a_line() -> None:
    """Free what a connection that is lost leaves, if the collector is calm.

    That is 100 KB in cycles, but so few objects that Python alone would look for them after 1,000 connections.
    """
    if gc.get_threshold() == SELDOM:
        gc.collect()
