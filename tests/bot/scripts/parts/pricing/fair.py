"""Looks up what the script has no callback for."""


def of(link, src, sym):
    """The size-weighted middle of the latest quote; None before the first one."""
    quote = link.last_quote(src, sym)
    if quote is None:
        return None
    (bid, bid_size), (ask, ask_size) = quote["bid"], quote["ask"]
    weight = bid_size + ask_size
    return (bid * ask_size + ask * bid_size) / weight if weight else (bid + ask) / 2
