"""Installs the reference implementations named in `package.json`, once; without Node.js the tests are skipped.

They are looked for, and installed, in `node_modules` beside this file, or in the folder that MON_INTEROP_NODE_MODULES
names. A protocol is added by a line in `package.json`, a `.cjs` script, and a test that runs it with `node.run`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .node import Node

HERE = Path(__file__).parent
_INSTALL = ("install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
_PATIENCE = 90.0


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the packages of `package.json`."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None:
        pytest.skip("no Node.js here: the reference implementations cannot run")
    modules = Path(os.environ.get("MON_INTEROP_NODE_MODULES") or HERE / "node_modules").resolve()
    missing = _missing(modules)
    if missing:
        if npm is None:
            pytest.skip(f"no npm here to install {', '.join(missing)}")
        _install(npm, modules)
    return Node(program, modules)


def _missing(modules: Path) -> list[str]:
    """The packages that are not there in the version that is asked for."""
    wanted: dict[str, str] = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    missing = []
    for name, version in wanted.items():
        file = modules / name / "package.json"
        if not file.exists() or json.loads(file.read_text(encoding="utf-8"))["version"] != version:
            missing.append(f"{name} {version}")
    return missing


def _install(npm: str, modules: Path) -> None:
    """npm installs into `node_modules` of a folder that has the `package.json`."""
    folder = modules.parent if modules.name == "node_modules" else modules / "install"
    folder.mkdir(parents=True, exist_ok=True)
    if folder != HERE:
        shutil.copy(HERE / "package.json", folder)
    try:
        done = subprocess.run(
            [npm, *_INSTALL], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install the reference implementations within {_PATIENCE:g} s")
    if folder.name == "install" and (folder / "node_modules").exists():
        shutil.copytree(folder / "node_modules", modules, dirs_exist_ok=True)
    missing = _missing(modules)
    if missing:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        pytest.skip(f"npm could not install {', '.join(missing)}: {' '.join(said)}")
