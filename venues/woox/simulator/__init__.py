"""WOO X, simulated."""
