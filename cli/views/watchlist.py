"""`mon watchlist`: the markets one watches, with their figures of the last 24 hours."""

from __future__ import annotations

from cli.views.ticker import columns, view

__all__ = ["columns", "view"]
