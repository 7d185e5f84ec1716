"""Who speaks: one line for each venue and stream. A new stream of a venue gets its class, and its line here."""

from __future__ import annotations

from tests.model import b2trader, jayx, kraken, nbt, nexus, profitview, woox
from tests.model.speaker import Speaker

SPEAKERS: tuple[type[Speaker], ...] = (
    b2trader.HubBook,
    b2trader.HubOrders,
    b2trader.HubPositions,
    b2trader.HubBalance,
    b2trader.HubMargin,
    b2trader.HubClosed,
    b2trader.HubCandles,
    jayx.JayXBook,
    jayx.JayXQuotes,
    jayx.JayXTrades,
    jayx.JayXBalance,
    jayx.JayXPositions,
    jayx.JayXOrders,
    kraken.KrakenBook,
    kraken.KrakenQuotes,
    kraken.KrakenTrades,
    kraken.KrakenTicker,
    kraken.KrakenCandles,
    nexus.NexusBook,
    nexus.NexusQuotes,
    nexus.NexusTrades,
    nexus.NexusFills,
    nexus.NexusOrders,
    nexus.NexusPositions,
    nbt.NbtSignals,
    nbt.NbtFeed,
    profitview.ProfitViewFeed,
    woox.WooXBook,
    woox.WooXQuotes,
    woox.WooXTrades,
    woox.WooXTicker,
    woox.WooXCandles,
)
