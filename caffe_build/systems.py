"""The systems that setup builds on: the rows of systems.txt, which setup.sh has found this machine in."""

from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("systems.txt")
KEYRINGS = Path("/usr/share/keyrings")


@dataclass(frozen=True)
class System:
    """One row of the table."""

    codename: str
    python: str
    boost: str
    suites: tuple[str, ...]  # of Debian, that hold Caffe's source package
    keyring: Path  # they are signed with
    name: str


def known() -> dict[str, System]:
    """Read the table: codename -> system."""
    systems = {}
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            codename, python, boost, suites, keyring, name = line.split(maxsplit=5)
            listed = () if suites == "-" else tuple(suites.split(","))
            systems[codename] = System(codename, python, boost, listed, KEYRINGS / keyring, name)
    return systems
