"""Nexus, simulated, and recordings of its trades made up."""
