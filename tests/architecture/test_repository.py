"""What may stand in a committed file, and where."""

import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.architecture.tree import files, text

LOCKS = [name for name in files() if name.startswith("requirements/")]
# Where packages come from is the machine's business. Set-up alone names what to ask when nothing is configured.
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|crates\.io")
MAY_NAME_A_REGISTRY = {"tools/setup.py", "tests/architecture/test_repository.py"}
PLACES_OF_ONE_MACHINE = re.compile(r"/(?:work|root|tmp/team|home)/\w")
MAY_NAME_SUCH_A_PLACE = {"tests/architecture/test_repository.py"}
INDENTED = re.compile(r"^(?P<indent> +)(?P<folder>[\w./-]+/)(?:\s|$)")


def test_locks_exist() -> None:
    assert LOCKS == ["requirements/agent.txt", "requirements/platform.txt"]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_no_address(lock: str) -> None:
    assert re.findall(r"\S*://\S+", text(lock)) == [], f"{lock} records where a package came from"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_package_by_hash(lock: str) -> None:
    entries = text(lock).replace("\\\n", " ").splitlines()
    pins = [line for line in entries if line and not line.startswith("#")]

    assert pins
    assert [line for line in pins if "==" not in line or "--hash=sha256:" not in line] == []


def test_agents_get_the_versions_the_platform_was_tested_with() -> None:
    platform = set(re.findall(r"^\S+==[^\s;]+", text("requirements/platform.txt"), re.MULTILINE))
    agent = set(re.findall(r"^\S+==[^\s;]+", text("requirements/agent.txt"), re.MULTILINE))

    assert agent <= platform


def test_only_set_up_names_a_package_index() -> None:
    assert [name for name in files() if name not in MAY_NAME_A_REGISTRY and REGISTRIES.search(text(name))] == []
    assert len(REGISTRIES.findall(text("tools/setup.py"))) == 1


def test_no_file_names_a_place_of_one_machine() -> None:
    found = {name: PLACES_OF_ONE_MACHINE.findall(text(name)) for name in files() if name not in MAY_NAME_SUCH_A_PLACE}

    assert {name: places for name, places in found.items() if places} == {}


def test_every_dependency_between_our_distributions_points_at_the_sdk() -> None:
    ours = {"promptcraft-hybrid", "promptcraft-sdk", "pc-hybrid"}
    for path, allowed in (("pyproject.toml", {"promptcraft-sdk"}), ("cli/pyproject.toml", {"promptcraft-sdk"})):
        needed = tomllib.loads(text(path))["project"]["dependencies"]
        assert {re.split(r"[\[<>=~! ]", one)[0] for one in needed} & ours == allowed, path
    sdk = tomllib.loads(text("sdk/pyproject.toml"))["project"]["dependencies"]
    assert {re.split(r"[\[<>=~! ]", one)[0] for one in sdk} & ours == set()


def _named_in_architecture() -> set[str]:
    """The folders of the tree in ARCHITECTURE.md, in whatever order, each with the folders it stands under."""
    named: set[str] = set()
    above: list[tuple[int, str]] = []
    for line in text("ARCHITECTURE.md").splitlines():
        if match := INDENTED.match(line):
            indent = len(match["indent"])
            above = [(depth, folder) for depth, folder in above if depth < indent]
            folder = (above[-1][1] if above else "") + match["folder"]
            above.append((indent, folder))
            named.add(folder.rstrip("/"))
        else:
            above = []
    return named


def _existing() -> set[str]:
    """Top folders of the repository, and the packages the platform is made of."""
    folders = {parent.as_posix() for name in files() for parent in PurePosixPath(name).parents} - {"."}
    top = {folder for folder in folders if "/" not in folder and not folder.startswith(".")} - {"src", "sdk", "cli"}
    packages = {folder for folder in folders if re.fullmatch(r"src/promptcraft(/\w+)?", folder)}
    return top | packages | {"sdk/src/promptcraft_sdk", "cli/src/pc_hybrid"}


def test_architecture_names_the_folders_that_exist() -> None:
    named, existing = _named_in_architecture(), _existing()

    assert existing - named == set(), "exist and are not named in ARCHITECTURE.md"
    folders = {parent.as_posix() for name in files() for parent in PurePosixPath(name).parents}
    assert named - folders == set(), "named in ARCHITECTURE.md and do not exist"
