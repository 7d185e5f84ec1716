"""`mon help`: texts about what more than one command has, one a topic."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output.lines import print_out
from venues.errors import UsageError

EXAMPLES = """\b
Examples:
  mon help
  mon help conditions
"""

CONDITIONS = """\
Conditions: --where, --until, --on, --rearm of every stream, and -w, -c of mon check.

  mon trades nexus SPOT_BTC_USDT --where 'price > 70000 and side == "buy" and size >= 0.1'
  mon quotes b2trader spot.btc_usdt --until 'spread_bps > 5' --timeout 1h && echo wide
  mon margin b2trader --on 'level_pct < 200' --rearm 'level_pct > 220' --exec 'notify-send "margin {level_pct} %"'

Grammar
  condition   condition or condition · condition and condition · not condition · (condition)
              value == != < <= > >= value, also in chains: 1 < size <= 5
              value in (value, …) · value not in (value, …)
              a field that is true or false, such as closed
  value       number, such as 70000, 0.1, 1e-8 · text, such as "buy" or 'buy' · true · false · field
              value + - * / value · -value · abs(value) · min(value, …) · max(value, …) · (value)
  field       a field of the stream's records (mon schema STREAM lists them), with dots and places:
              price, bids[0].price, extra.NAME, data.a.b[2]; a name with other signs: data["a-b"]
              prev.FIELD: of the record before with the same key; absent after an interruption
  An expression has at most 2,000 characters and 50 levels. There are no other calls, and no regular expressions.

Derived fields
  mid, spread, spread_bps   of a book or a quote; spread_bps is 10000 * spread / mid
  age_ms    milliseconds since the venue made the latest data, by our clock with the venue's offset taken out, or since
            it came, where the venue sends no time
  stale     true whenever a stream that was live is not; false while it is live
  state     "connecting", "syncing", "live", "stale", "reconnecting" or "closed"
  partial   true where the venue sends changes only

Rules
  Numbers are exact decimals: size == 0.1 is true for 0.1. + - * are exact, / is rounded half-even at 100 digits. A
  result of more than 100 digits is absent, and so is x / 0.
  What is absent is never a match: a comparison with it is neither true nor false, also behind not. abs, min and max of
  it are absent. Below extra and data any name may stand; a value of another kind than the one it is compared with is
  absent.
  Texts have == != and in only; the words that a field can have are checked (side == "long" of a trade is refused).
  Each record is judged as it comes, before --every and before what a slow reader is spared.
  While a stream is not live nothing is true but stale, state and age_ms. These are judged at each status and every
  250 ms, in a replay by the recording's clock.

What they do
  --where    prints only what matches. A row that was printed and goes is printed once more with "change": "remove", one
             that only stops matching too, with "match": false. The count of a snapshot_end is that of printed rows.
  --until    prints the first match and ends with 0; every other end, but by an error or a signal, is 6.
  --on       runs --exec, or rings with --bell, when the condition becomes true: on states once for each key, again
             after it was false, or after --rearm was true; on events at each match, at most one per --cooldown.
"""

TOPICS = {"conditions": ("what --where, --until, --on and mon check understand", CONDITIONS)}


def help_text(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help=f"One of: {', '.join(TOPICS)}.",
            autocompletion=lambda incomplete: [name for name in TOPICS if name.startswith(incomplete)],
            show_default=False,
        ),
    ] = None,
) -> None:
    """What more than one command has, one text a topic; without a topic their list."""
    if topic is None:
        room = max(map(len, TOPICS))
        listed = "\n".join(f"  {name.ljust(room)}  {about}" for name, (about, _) in TOPICS.items())
        print_out(f"mon help TOPIC, of one of these:\n{listed}\nmon COMMAND --help is about one command.")
        return
    if topic not in TOPICS:
        raise UsageError(f'expected a topic ({", ".join(TOPICS)}), got "{topic}"; of a command: mon COMMAND --help')
    print_out(TOPICS[topic][1].rstrip())
