"""Mutants that no test can notice, or none ought to, and why. They still count as survivors.

A key is what `--only` prints after the id: file, function, line before and after; so it does not move with the lines
above it, and `tests/test_mutation.py` fails for one whose line is no longer there.
"""

from __future__ import annotations

EXPLAINED: dict[str, str] = {
    "venues/toolkit/spellings.py _struct_of: if not said or not isinstance(said[0], str): -> "
    "if not said or not isinstance(said[(-1)], str):": "`said` has one element at most: its first is its last",
    "venues/toolkit/spellings.py _struct_of: "
    "said = [value.get(struct.tag_field) for struct in structs[:1] if struct.tag_field is not None] -> "
    "said = [value.get(struct.tag_field) for struct in structs[:2] if struct.tag_field is not None]": (
        "the types of a union have one tag field, and only the first of `said` is read"
    ),
    "venues/toolkit/book_side.py BookSide._is_beyond: "
    "return price < self.prices[0][0] if self._descending else price > self.prices[-1][-1] -> "
    "return price < self.prices[0][0] if self._descending else price >= self.prices[-1][-1]": (
        "it is asked only of a price that is not held, which is equal to none"
    ),
    "venues/toolkit/book_side.py BookSide._is_beyond: "
    "return price < self.prices[0][0] if self._descending else price > self.prices[-1][-1] -> "
    "return price <= self.prices[0][0] if self._descending else price > self.prices[-1][-1]": (
        "it is asked only of a price that is not held, which is equal to none"
    ),
    "venues/protocols/flood.py FloodGauge.overflows: if mono > self._at: -> if mono >= self._at:": (
        "at the same moment nothing is forgotten: 0 seconds times the rate"
    ),
    "venues/nexus/session.py NexusRoute.__init__: "
    "self.candles = TradedCandles(interval_ms(intervals[0]), self.clock) if intervals else None -> "
    "self.candles = TradedCandles(interval_ms(intervals[(-1)]), self.clock) if intervals else None": (
        "a run has one `--interval`, so all of them are the same"
    ),
    "cli/bot/report.py _curve: place = 0 -> place = (-1)": "the first look moves on to the first point",
    "cli/run/suggestions.py nearest: "
    "rank = 5.0 - rules.index(one.symbol) / len(rules) if one.symbol in rules else 0.0 -> "
    "rank = 6.0 - rules.index(one.symbol) / len(rules) if one.symbol in rules else 0.0": "more than any other rank",
    "cli/run/loop.py other_work: await asyncio.sleep(0) -> await asyncio.sleep((-1))": (
        "to asyncio a delay below 0 is one of 0"
    ),
    "cli/run/judging.py Judge.__init__: "
    "self._keeps_latest = not how.events and any(one.uses_age and one.uses_record for one in apart) -> "
    "self._keeps_latest = not how.events and any(one.uses_age or one.uses_record for one in apart)": (
        "what does not depend on both, time says again as it was said"
    ),
    "cli/output/standing.py Stand.__init__: "
    "self.changed = False # whether its last status has another state than the one before -> "
    "pass # whether its last status has another state than the one before": "it is set before it is read",
    "venues/driver.py Driver.__init__: self._unauthorized = 0 # answers with HTTP 401 since a stream was live -> "
    "self._unauthorized = (-1) # answers with HTTP 401 since a stream was live": (
        "it is read only when a stream was live, which sets it to 0"
    ),
    "venues/kraken/book.py BookFeed.__init__: self._wanted = next(depths, 1) -> self._wanted = next(depths, 0)": (
        "the venue's depths are 1 at least, and so never less than either"
    ),
    "venues/kraken/book.py BookFeed.acknowledged: if before.whole and result.depth > self.depth: -> "
    "if before.whole and result.depth >= self.depth:": "of the same depth nothing came so far in the function",
    "cli/output/statuses.py _news: "
    "return status.state, status.reason, status.attempt, status.retry_in_ms, status.down_ms is None -> "
    "return status.state, status.reason, status.attempt, status.retry_in_ms, status.down_ms is not None": (
        "it is compared with others of its kind only: both tell the same two apart"
    ),
    "cli/output/statuses.py _by_state: found.setdefault((status.state, status.symbol is None), []).append(status) -> "
    "found.setdefault((status.state, status.symbol is not None), []).append(status)": (
        "it is compared with others of its kind only: both tell the same two apart"
    ),
    "venues/toolkit/seeding.py SeededBook._place: "
    "return None if quiet is None or self._seed_asked_at < quiet + self._quiet_after else 0 -> "
    "return None if quiet is None or self._seed_asked_at < quiet + self._quiet_after else (-1)": (
        "no change is kept there, and of none nothing is cut"
    ),
    "venues/toolkit/clock.py VenueClock._start_run: "
    "run.start(distance, now.mono, fell=fell or (run.count > 0 and run.fell and distance > before)) -> "
    "run.start(distance, now.mono, fell=fell or (run.count >= 0 and run.fell and distance > before))": (
        "with a count of 0 it is above the proved distance, and of such a run nobody asks whether it fell"
    ),
    "venues/errors.py NotAskedFor.__init__: super().__init__(symbol) -> pass": (
        "an exception has what it was made with before its `__init__`"
    ),
    "cli/run/checking.py Check.deliver: def deliver(self, items: Sequence[Delivered], line: int = 0) -> None: -> "
    "def deliver(self, items: Sequence[Delivered], line: int = 1) -> None:": (
        "a check has one line: its number is unread"
    ),
    "cli/run/checking.py Check.deliver: def deliver(self, items: Sequence[Delivered], line: int = 0) -> None: -> "
    "def deliver(self, items: Sequence[Delivered], line: int = (-1)) -> None:": (
        "a check has one line: its number is unread"
    ),
    "cli/output/lines.py Limit.__init__: self._count = 1 if once and not ends_with_snapshot else count -> "
    "self._count = 0 if once and not ends_with_snapshot else count": "it is compared once there is one record at least",
    'cli/output/cells.py _escape: return f"\\\\x{code:02x}" if code < 0x100 else f"\\\\u{code:04x}" if code < 0x10000 '
    'else f"\\\\U{code:08x}" -> return f"\\\\x{code:02x}" if code < 0x100 else f"\\\\u{code:04x}" if code < 65537 '
    'else f"\\\\U{code:08x}"': "U+10000 is a letter, which is shown as it is",
    "venues/protocols/signalr.py Hub.receive: "
    "if self._ready and frame and not self._rest and frame.find(_SEPARATOR) == len(frame) - 1: -> "
    "if self._ready and frame and not self._rest and frame.find(_SEPARATOR) == len(frame) - 0:": (
        "every frame goes the longer way then, to the same end"
    ),
    "venues/simulator/world_clock.py turn: await asyncio.sleep(0) -> await asyncio.sleep((-1))": (
        "to asyncio a delay below 0 is one of 0"
    ),
    "venues/connection.py Connection._read: await asyncio.sleep(0) -> await asyncio.sleep((-1))": (
        "to asyncio a delay below 0 is one of 0"
    ),
    "venues/kraken/simulator/market.py (module): _EXACT: Final = Context(prec=1_000) -> "
    "_EXACT: Final = Context(prec=1001)": "a price is shown with some ten of these digits",
    "venues/toolkit/acknowledgements.py Acknowledgements._states: continue -> pass": (
        "a stream is named there only with its first symbol"
    ),
    "venues/toolkit/written.py Writer.encode_lines: if values and values[0].__class__ is Book: -> "
    "if values and values[(-1)].__class__ is Book:": "to the same lines, which only take longer",
    "venues/toolkit/book_side.py BookSide.replace: "
    "if prices and prices[0] > prices[-1]: # best first, as most venues send bids -> "
    "if prices and prices[(-1)] > prices[-1]: # best first, as most venues send bids": (
        "they are sorted then, to the same end"
    ),
    "venues/toolkit/book_side.py BookSide.replace: "
    "if prices and prices[0] > prices[-1]: # best first, as most venues send bids -> "
    "if prices and prices[0] >= prices[-1]: # best first, as most venues send bids": (
        "where the first and the last are equal they are sorted, or one"
    ),
    "venues/toolkit/numbers.py whole_number: "
    "if type(value) is str and value.isdigit() and value.isascii() and len(value) <= MAX_DIGITS: # the common case -> "
    "if type(value) is str and value.isdigit() and value.isascii() and len(value) < MAX_DIGITS: # the common case": (
        "one of that length goes the longer way, to the same end"
    ),
    "venues/toolkit/clock.py VenueClock._is_behind: "
    "return self._reference != _UNKNOWN and run.anchor < self._reference -> "
    "return self._reference != _UNKNOWN and run.anchor <= self._reference": (
        "what keeps the proved distance begins no run"
    ),
    "venues/toolkit/spellings.py _struct_of: tag = in_any_case(said[0], by_tag) -> "
    "tag = in_any_case(said[(-1)], by_tag)": "`said` has one element at most: its first is its last",
    "venues/b2trader/session.py B2TraderSession.__init__: super().__init__() -> pass": (
        "what that makes is read only by methods that this one has of its own"
    ),
    "cli/output/states.py StateQueue._first: if len(self._all) > most: -> if len(self._all) >= most:": (
        "all of it is taken then, as a full state or row by row"
    ),
    "cli/output/cells.py short: if text.isascii() and len(text) <= width: -> "
    "if text.isascii() and len(text) < width:": "a text of just that width is returned as it is further on too",
    "venues/toolkit/numbers.py _read: "
    'if len(text) > MAX_DIGITS or "e" in text or "E" in text: # else it cannot have too many digits -> '
    'if len(text) > MAX_DIGITS or "e" in text or "E" not in text: # else it cannot have too many digits': (
        "what cannot have too many digits is looked at all the same, to the same end"
    ),
    "cli/bot/summary.py _Curve.at: elif worth < self._depth: -> elif worth <= self._depth:": (
        "a value that is the depth makes the same fall and the same depth"
    ),
    "cli/run/ending.py first_of: return -> pass": ("an event that is set ends the wait in its first turn"),
    'cli/bot/serving.py _posted: raise _Problem(400, "expected a whole body, got a part of it") from None -> '
    'raise _Problem(399, "expected a whole body, got a part of it") from None': (
        "the connection is lost: nobody is there to read a status"
    ),
    "cli/output/standing.py Stands._age: return 0 if time is None else now.epoch_ms + self._offset - time -> "
    "return (-1) if time is None else now.epoch_ms + self._offset - time": "an age below 0 is taken for 0",
    'venues/woox/__init__.py WooX.meant: if len(words) > 1 and words[-1] in ("PERP", "SWAP"): -> '
    'if len(words) >= 1 and words[-1] in ("PERP", "SWAP"):': "of one such word nothing is meant either way",
    "venues/nexus/simulator/synthetic.py Trades._walk: "
    'yield int(time), bid, ask, "BUY" if random() < 0.5 + 0.1 * trend else "SELL", lots -> '
    'yield int(time), bid, ask, "BUY" if random() <= 0.5 + 0.1 * trend else "SELL", lots': (
        "no seed draws that very number"
    ),
    'venues/redaction.py Redactor.learn_url: for start in {0, max(0, above.rfind("/"))}: -> '
    'for start in {0, max(1, above.rfind("/"))}:': "a path is hidden without its first slash too",
}
