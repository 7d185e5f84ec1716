"""JayX: Socket.IO events."""
