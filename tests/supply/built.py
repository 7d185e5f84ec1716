"""The wheel and the source distribution: built as an installer builds them, and looked into."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from tests.supply.declared import ROOT

# Where the shells look for completions, in an environment; the file beside the code that is put there.
COMPLETIONS = {
    "share/bash-completion/completions/mon": "completions/mon.bash",
    "share/zsh/site-functions/_mon": "completions/_mon",
    "share/fish/vendor_completions.d/mon.fish": "completions/mon.fish",
    "share/mon/mon.ps1": "completions/mon.ps1",
}
IN_THE_WHEEL = ("cli", "venues")
IN_THE_SDIST = ("cli", "venues", "tests", "completions")
AT_THE_TOP_OF_THE_SDIST = {"README.md", "pyproject.toml"}
MADE_BY_THE_BUILD = {"PKG-INFO", ".gitignore"}  # of a source distribution
DIST_INFO = {"METADATA", "RECORD", "WHEEL", "entry_points.txt"}


def sources(root: Path, folders: Iterable[str]) -> set[str]:
    """The files that belong to the project, as git knows them; without git, those without a trace of a run."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return {name for name in listed.stdout.splitlines() if (root / name).is_file()}
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts}


def build(kind: str, source: Path, folder: Path) -> Path:
    """A `wheel` or an `sdist` of a folder, made by its build backend in this Python: no network."""
    code = f"from hatchling.build import build_{kind}; print(build_{kind}({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the {kind} cannot be built:\n{done.stderr}")
    return folder / done.stdout.split()[-1]


def unpacked(sdist: Path, folder: Path) -> Path:
    """The folder of a source distribution, unpacked."""
    with tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def contents_of_wheel(wheel: Path) -> dict[str, bytes]:
    """Each file, by its path in the wheel."""
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}


def contents_of_sdist(sdist: Path) -> set[str]:
    """The paths below the folder that a source distribution has."""
    with tarfile.open(sdist) as packed:
        names = [PurePosixPath(one.name) for one in packed.getmembers() if one.isfile()]
    return {str(PurePosixPath(*name.parts[1:])) for name in names}


def faults_of_wheel(contents: Mapping[str, bytes], root: Path = ROOT) -> Iterator[str]:
    """What a wheel lacks, has too much of, or has otherwise than the project's files."""
    found = dict(contents)
    for name in sorted(sources(root, IN_THE_WHEEL)):
        yield from _compared(name, found.pop(name, None), (root / name).read_bytes())
    for place, name in COMPLETIONS.items():
        data = next((one for one in found if one.endswith(f".data/data/{place}")), place)
        yield from _compared(place, found.pop(data, None), (root / name).read_bytes())
    for name in sorted(found):
        if not (name.partition("/")[0].endswith(".dist-info") and name.partition("/")[2] in DIST_INFO):
            yield f"{name}: is in the wheel and does not belong there"


def _compared(name: str, packed: bytes | None, here: bytes) -> Iterator[str]:
    if packed is None:
        yield f"{name}: is not in the wheel"
    elif packed != here:
        yield f"{name}: is another in the wheel than here"


def faults_of_sdist(contents: set[str], root: Path = ROOT) -> Iterator[str]:
    """What a source distribution lacks or has too much of."""
    wanted = sources(root, IN_THE_SDIST) | AT_THE_TOP_OF_THE_SDIST
    yield from (f"{name}: is not in the source distribution" for name in sorted(wanted - contents))
    yield from (
        f"{name}: is in the source distribution and does not belong there"
        for name in sorted(contents - wanted - MADE_BY_THE_BUILD)
    )
