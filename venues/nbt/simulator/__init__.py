"""The NBT hub, simulated."""
