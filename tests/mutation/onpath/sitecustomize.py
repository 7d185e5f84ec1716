"""Loaded by every Python process of a job: this folder is first on its `PYTHONPATH`, the copied tree second."""

try:
    from tests.mutation.fence import fence
except ImportError:  # e.g. another installation that a test makes
    pass
else:
    fence()
