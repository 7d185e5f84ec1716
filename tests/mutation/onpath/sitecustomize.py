"""Loaded by every Python process of a job: this folder is first on its `PYTHONPATH`, the copied tree second.

A test may have a `sitecustomize` of its own for what it starts; it is run after this one. Nothing more is imported here
than there must be: tests look at what is.
"""

import os
import sys

try:
    from tests.mutation.fence import fence
except ImportError:  # e.g. another installation that a test makes
    pass
else:
    fence()

# Coverage's own .pth, which starts it too, is read only in the environment that it is installed in.
if "COVERAGE_PROCESS_START" in os.environ:
    try:
        import coverage
    except ImportError:
        pass
    else:
        coverage.process_startup()

for _folder in sys.path:
    _file = os.path.join(_folder, "sitecustomize.py")
    if _folder != os.path.dirname(__file__) and os.path.exists(_file):
        with open(_file, encoding="utf-8") as _opened:
            exec(compile(_opened.read(), _file, "exec"), {"__name__": "sitecustomize", "__file__": _file})
        break
