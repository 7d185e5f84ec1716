"""B2TRADER: SignalR hubs."""
