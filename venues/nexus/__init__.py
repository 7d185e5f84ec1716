"""Nexus: one plain WebSocket for one symbol."""
