"""A long run of everything that `mon` is, under faults: `python -m tests.soak --minutes 60`.

Real processes watch one simulated world through lines that fail, are stopped and go on, have their clocks set by an
hour, and are read slowly. What they print is compared with the world all the time and once more at the end, when all is
calm. `parts.py` has the list of what runs.
"""
