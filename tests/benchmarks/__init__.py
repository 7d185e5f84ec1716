"""What mon costs, printed as ratios; run by hand, never as a timed test.

    python -m tests.benchmarks              all of them, about four minutes
    python -m tests.benchmarks.book         the order book against sortedcontainers
    python -m tests.benchmarks.whole_books  whole books from frame to line against a loop written by hand
    python -m tests.benchmarks.startup      --version, --help and a completion against `python -c pass`
    python -m tests.benchmarks.trades       `mon trades` in a pipe against a bare websockets loop
    python -m tests.benchmarks.link         what a table sends, and how old it is at the end of a slow link
    python -m tests.benchmarks.costs        microseconds a frame, a line, a drawn table
    python -m tests.benchmarks.conditions   microseconds that --where costs on top of a trade
    python -m tests.benchmarks.bot          trades a second through a bot, and whether it keeps a recording's pace

Both sides of a ratio are measured in turns in the same run, and the best turn of each counts: what else the machine
does only ever slows a turn down. A limit that does not hold is printed, and is no failure; a wrong result is one.
"""
