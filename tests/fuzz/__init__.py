"""Fuzzing of all that reads what somebody else wrote: `python -m tests.fuzz --help`; the list is `targets.py`."""
