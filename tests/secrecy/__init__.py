"""Marked secrets in every place, every command, every failure, and a search of all that is left behind."""
