"""All benchmarks, one after the other, in minutes; a machine that does nothing else is needed for them.

    python -m tests.benchmarks [--json FILE] [NAME …]

`NAME` is a module beside this one, such as `trades`. The file has every figure with its limit, and the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from tests.benchmarks.figures import MEASURED, print_head

ALL = (
    *("book", "book_sizes", "whole_books", "b2trader", "startup", "trades", "peers", "signalr", "latency", "memory"),
    *("screen", "link", "costs", "conditions", "bot"),
)


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in ALL]:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(ALL)}")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print_head()
    for name in asked.names or ALL:
        importlib.import_module(f"tests.benchmarks.{name}").run()
    if asked.json is not None:
        asked.json.write_text(
            json.dumps({"machine": machine(), "figures": MEASURED}, indent=1) + "\n", encoding="utf-8"
        )


def machine() -> dict[str, str]:
    """What the figures depend on, above all."""
    names = [line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
