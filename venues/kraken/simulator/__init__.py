"""The simulated Kraken: the public WebSocket v2, by the venue's document alone."""
