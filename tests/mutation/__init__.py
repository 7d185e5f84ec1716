"""Mutation by hand: a line of mon is broken, and a test has to notice. `python -m tests.mutation --help`."""
