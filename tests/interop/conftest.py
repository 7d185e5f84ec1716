"""The reference implementations named in `package.json`; without them the tests are skipped. A test fetches nothing:

    cd tests/interop && npm install --no-save --no-package-lock --no-audit --no-fund --ignore-scripts

They are looked for in `node_modules` beside this file, or in the folder that MON_INTEROP_NODE_MODULES names. A protocol
is added by a line in `package.json`, a `.cjs` script, and a test that runs it with `node.run`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from .node import Node

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the packages of `package.json`."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("no Node.js here: the reference implementations cannot run")
    modules = Path(os.environ.get("MON_INTEROP_NODE_MODULES") or HERE / "node_modules").resolve()
    missing = _missing(modules)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (npm install --no-save --no-package-lock in tests/interop)")
    return Node(program, modules)


def _missing(modules: Path) -> list[str]:
    """The packages that are not there in the version that is asked for."""
    wanted: dict[str, str] = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    missing = []
    for name, version in wanted.items():
        file = modules / name / "package.json"
        exactly = version.rpartition("@")[2]  # of an alias, npm:name@version
        if not file.exists() or json.loads(file.read_text(encoding="utf-8"))["version"] != exactly:
            missing.append(f"{name} {version}")
    return missing
