"""Rounding."""


def to_tick(value, tick):
    """The nearest multiple of a tick."""
    return round(round(value / tick) * tick, 10)
