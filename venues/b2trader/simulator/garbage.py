"""Bad items in the shapes of B2TRADER's streams, for the fault `garbage`."""

from __future__ import annotations

from typing import Final

# In the place of a decimal string: no number, not finite, too long to be written out, of another type, no digits.
_BAD: Final = ('"abc"', '"NaN"', '"-Infinity"', '"1e999999999999999999"', '"1_000"', '" 1"', '""', "true", "[]")
_MARKET: Final = "spot.btc_usdt"


def bad_items(target: str) -> tuple[bytes, ...]:
    """Items of wrong types and with figures that are none; in a list the first row is as it should be."""
    shapes = {
        "Book": (
            f'{{"instrument":"{_MARKET}","askTotalAmount":"1","bidTotalAmount":"1","asks":[],"bids":'
            '[{"price":"1","amount":"0","total":"0"},{"price":"1","amount":%s,"total":"1"}],'
            '"version":"999999999","snapshot":false}'
        ),
        "Tob": (
            f'{{"markets":[{{"marketId":"{_MARKET}","ask":"2","bid":"1"}},{{"marketId":"{_MARKET}","ask":%s,"bid":"1"}}],'
            '"snapshot":false}'
        ),
        "TradingData": f'{{"markets":[{{"marketId":"{_MARKET}","price":%s}}],"snapshot":false}}',
        "Summary": f'{{"items":[{{"marketId":"{_MARKET}","last":%s}}],"snapshot":false}}',
        "Chart": f'{{"instrument":"{_MARKET}","low":"1","high":%s,"open":"1","close":"1","start":"today","end":7}}',
        "OpenOrders": f'[{{"marketId":"{_MARKET}","orderId":"1","status":"Pending","requestedAmount":%s}}]',
        "OpenPositions": (
            '{"item":[{"positionId":"01JP4H3AMS7Q1H6Y6H3XJ52JTA","status":"Closed","positionLotAmount":"0"},'
            f'{{"positionId":"1","marketId":"{_MARKET}","status":"Open","positionLotAmount":%s}}],"snapshot":false}}'
        ),
        "ClosePositionsOrders": '[{"orderId":"1","positionId":"1","realizedPnlInRAT":%s}]',
        "FullBalance": '[{"assetId":"usdt","available":"1","total":%s,"locked":"0"}]',
        "MarginData": '{"marginBalanceInRAT":"1","unrealizedPnlInRAT":"1","equityInRAT":%s}',
    }
    return tuple((shapes[target] % bad).encode() for bad in _BAD)
