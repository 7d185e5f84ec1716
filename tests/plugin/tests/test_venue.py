"""The contract's checks, over the recordings beside this file."""

from pathlib import Path

from mon_orbit import ORBIT
from venues.testing import checks_of

TestOrbit = checks_of(ORBIT, Path(__file__).parent / "recordings")
