"""B2TRADER, simulated."""
