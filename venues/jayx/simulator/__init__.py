"""JayX, simulated."""
