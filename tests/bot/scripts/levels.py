"""Candles of several levels with numpy and TA-Lib, `get_bars` for a third one, and `candle_bin`."""

import numpy as np
import talib
from profitview import Link


class Signals(Link):
    FAST, SLOW = 5, 20

    def on_start(self):
        self.begun = {}
        self.trend = 0

    def is_new(self, src, sym, level):
        """Whether a candle of a level has begun since the last call."""
        begin = self.candle_bin(self.epoch_now, level)
        before, self.begun[src, sym, level] = self.begun.get((src, sym, level)), begin
        return begin != before

    def candle_update_1h(self, src, sym, bars):
        if self.is_new(src, sym, "1h"):
            fast, slow = talib.EMA(bars.closes, self.FAST)[-2], talib.EMA(bars.closes, self.SLOW)[-2]
            self.trend = 0 if np.isnan(slow) else int(np.sign(fast - slow))

    def candle_update_15m(self, src, sym, bars):
        if not self.is_new(src, sym, "15m"):
            return
        rsi = talib.RSI(bars.closes, timeperiod=14)
        daily = self.get_bars(src, sym, level="1d")
        spread = np.nanmax(daily.highs) - np.nanmin(daily.lows)
        size = self.trend * (1.0 if np.isnan(rsi[-2]) else (100 - rsi[-2]) / 100)
        self.signal(src, sym, size=size)
        self.publish("levels", {"rsi": rsi[-2], "spread": np.round(spread, 2), "volumes": bars.volumes[-3:]})
