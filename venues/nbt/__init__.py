"""The NBT hub: Socket.IO events of signals."""
