"""All benchmarks, one after the other."""

from __future__ import annotations

from tests.benchmarks import b2trader, book, bot, conditions, costs, link, screen, startup, trades, whole_books
from tests.benchmarks.figures import print_head


def main() -> None:
    """Print every figure."""
    print_head()
    for benchmark in (book, whole_books, b2trader, startup, trades, screen, link, costs, conditions, bot):
        benchmark.run()


if __name__ == "__main__":
    main()
