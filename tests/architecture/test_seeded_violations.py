"""Each rule of the house catches the violation it is there for: the real tool, on a copy with one sin planted."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.architecture.tree import ROOT, files

BIN = Path(sys.executable).parent
SOURCES = ("src", "sdk/src", "cli/src")
TOOLS = {
    "imports": [str(BIN / "lint-imports"), "--no-cache"],
    "ruff": [str(BIN / "ruff"), "check", "--no-cache", "--output-format", "concise", "."],
    "budget": [sys.executable, "tools/budget.py"],
    "repository": [
        *(sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:randomly"),
        *("-p", "no:xdist", "tests/architecture/test_repository.py"),
    ],
}


@dataclass(frozen=True)
class Seed:
    """One sin: text added to one file, and the words with which one tool must complain."""

    sin: str
    path: str
    text: str
    tool: str
    complaint: str


def _branches(count: int) -> str:
    return "".join(f"    if value == {number}:\n        return {number + 1}\n" for number in range(count))


LONG_FUNCTION = "def seeded() -> list[int]:\n    return [\n" + "        1,\n" * 80 + "    ]\n"
TANGLED_FUNCTION = "def seeded(value: int) -> int:\n" + _branches(11) + "    return value\n"
BLIND_EXCEPT = "try:\n    import seeded\nexcept Exception:\n    seeded = None\n"
DEFERRED_IMPORT = "def seeded() -> None:\n    import json\n    json.dumps(1)\n"
MANY_MOCKS = "from unittest.mock import MagicMock\n\n\ndef test_seeded():\n" + "    MagicMock()\n" * 4_000

SEEDS = [
    Seed(
        "import upward",
        "src/promptcraft/kernel/seeded.py",
        "import promptcraft.identity\n",
        "imports",
        "promptcraft.kernel is not allowed to import promptcraft.identity",
    ),
    Seed(
        "import upward, hidden in a function",
        "src/promptcraft/settings/seeded.py",
        "def seeded() -> None:\n    import promptcraft.kernel\n",
        "imports",
        "promptcraft.settings is not allowed to import promptcraft.kernel",
    ),
    Seed(
        "import upward, for types only",
        "src/promptcraft/kernel/seeded.py",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import promptcraft.runtime\n",
        "imports",
        "promptcraft.kernel is not allowed to import promptcraft.runtime",
    ),
    Seed(
        "import sideways",
        "src/promptcraft/identity/service/seeded.py",
        "import promptcraft.runtime\n",
        "imports",
        "promptcraft.identity is not allowed to import promptcraft.runtime",
    ),
    Seed(
        "a ninth file name",
        "src/promptcraft/identity/helpers.py",
        "",
        "imports",
        "- promptcraft.identity.helpers",
    ),
    Seed(
        "a folder nobody placed in the order",
        "src/promptcraft/utils/__init__.py",
        "",
        "imports",
        "- promptcraft.utils",
    ),
    Seed(
        "a context entered by an inner module",
        "src/promptcraft/app/seeded.py",
        "import promptcraft.identity.service.seeded\n",
        "imports",
        "promptcraft.app.seeded enters promptcraft.identity.service.seeded (l. 1)",
    ),
    Seed(
        "an outer file of a context imported by an inner one",
        "src/promptcraft/identity/service/seeded.py",
        "import promptcraft.identity.routes.seeded\n",
        "imports",
        "promptcraft.identity.service is not allowed to import promptcraft.identity.routes",
    ),
    Seed(
        "fastapi in a service",
        "src/promptcraft/identity/service/seeded.py",
        "from fastapi import HTTPException\n",
        "imports",
        "promptcraft.identity.service is not allowed to import fastapi",
    ),
    Seed(
        "a row in a route",
        "src/promptcraft/identity/routes/seeded.py",
        "import promptcraft.identity.tables.seeded\n",
        "imports",
        "promptcraft.identity.routes.seeded is not allowed to import promptcraft.identity.tables.seeded",
    ),
    Seed(
        "the CLI imports the platform",
        "cli/src/pc_hybrid/seeded.py",
        "import promptcraft.kernel\n",
        "imports",
        "pc_hybrid is not allowed to import promptcraft",
    ),
    Seed(
        "the CLI imports a database",
        "cli/src/pc_hybrid/seeded.py",
        "import sqlalchemy\n",
        "imports",
        "pc_hybrid is not allowed to import sqlalchemy",
    ),
    Seed(
        "the SDK imports the platform",
        "sdk/src/promptcraft_sdk/seeded.py",
        "import promptcraft.kernel\n",
        "imports",
        "promptcraft_sdk is not allowed to import promptcraft",
    ),
    Seed(
        "a cycle",
        "src/promptcraft/kernel/errors.py",
        "import promptcraft.kernel.problems\n",
        "imports",
        "No cycles anywhere BROKEN",
    ),
    Seed(
        "a commit outside kernel",
        "src/promptcraft/identity/service/seeded.py",
        "async def seeded(session) -> None:\n    await session.commit()\n",
        "budget",
        "src/promptcraft/identity/service/seeded.py:2: .commit() outside kernel",
    ),
    Seed(
        "the environment read outside settings",
        "src/promptcraft/kernel/seeded.py",
        'from os import environ\n\nHOME = environ["HOME"]\n',
        "ruff",
        "kernel/seeded.py:1:16: TID251 `os.environ` is banned: Only promptcraft.settings reads the environment",
    ),
    Seed(
        "a long function",
        "src/promptcraft/kernel/seeded.py",
        LONG_FUNCTION,
        "budget",
        "kernel/seeded.py:1: function seeded",
    ),
    Seed(
        "a tangled function", "src/promptcraft/kernel/seeded.py", TANGLED_FUNCTION, "ruff", "kernel/seeded.py:1:5: C901"
    ),
    Seed(
        "a tangled function, silenced",
        "src/promptcraft/kernel/seeded.py",
        TANGLED_FUNCTION.replace("int:\n", "int:  # noqa: C901  it is what it is\n", 1),
        "budget",
        "src/promptcraft/kernel/seeded.py:1: C901 (complexity) is not silenced",
    ),
    Seed("a blind except", "src/promptcraft/kernel/seeded.py", BLIND_EXCEPT, "ruff", "kernel/seeded.py:3:8: BLE001"),
    Seed(
        "a blind except that is no process edge",
        "src/promptcraft/kernel/seeded.py",
        BLIND_EXCEPT.replace("Exception:", "Exception:  # noqa: BLE001  to be on the safe side"),
        "budget",
        "src/promptcraft/kernel/seeded.py:3: blind except: allowed only at a named edge",
    ),
    Seed(
        "a deferred import",
        "src/promptcraft/kernel/seeded.py",
        DEFERRED_IMPORT,
        "ruff",
        "kernel/seeded.py:2:5: PLC0415",
    ),
    Seed(
        "a deferred import, silenced",
        "src/promptcraft/kernel/seeded.py",
        DEFERRED_IMPORT.replace("json\n", "json  # noqa: PLC0415  quicker start\n", 1),
        "budget",
        "src/promptcraft/kernel/seeded.py:2: deferred import outside CLI commands and role start-up",
    ),
    Seed(
        "an ignore without a reason",
        "tools/seeded.py",
        "import os  # noqa: F401\n",
        "budget",
        "tools/seeded.py:1: an ignore names",
    ),
    Seed(
        "a print in a service",
        "src/promptcraft/kernel/seeded.py",
        'print("here")\n',
        "ruff",
        "kernel/seeded.py:1:1: T201",
    ),
    Seed("a long module", "src/promptcraft/kernel/seeded.py", "\n" * 601, "budget", "kernel/seeded.py:1: module of"),
    Seed(
        "a kernel that grows", "src/promptcraft/kernel/seeded.py", "\n" * 3_601, "budget", "lines, at most 3600: what"
    ),
    Seed(
        "a package the contracts cannot see",
        "src/promptcraft/identity/service/deep/seeded.py",
        "",
        "budget",
        "src/promptcraft/identity/service/deep: no __init__.py",
    ),
    Seed("tests made of mocks", "tests/test_seeded.py", MANY_MOCKS, "budget", "mocks in"),
    Seed(
        "a lock with an address",
        "requirements/agent.txt",
        "# from https://index.example/simple\n",
        "repository",
        "requirements/agent.txt records where a package came from",
    ),
    Seed(
        "a path of one machine",
        "src/promptcraft/kernel/seeded.py",
        'HERE = "/' + 'home/somebody"\n',
        "repository",
        "test_no_file_names_a_place_of_one_machine",
    ),
    Seed(
        "a folder that ARCHITECTURE.md does not name",
        "surprise/seeded.txt",
        "",
        "repository",
        "AssertionError: exist and are not named in ARCHITECTURE.md",
    ),
]

# What the seeds stand on or point at, where the tree does not have it as a package already.
STAGE = [
    *(f"src/promptcraft/identity/{part}/__init__.py" for part in ("routes", "service", "tables")),
    *(f"src/promptcraft/identity/{part}/seeded.py" for part in ("routes", "service", "tables")),
    "src/promptcraft/identity/__init__.py",
    "src/promptcraft/runtime/__init__.py",
]


@pytest.fixture
def copy() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield _copied(Path(folder))


def _copied(target: Path) -> Path:
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # somebody is working here and has just removed it
            shutil.copyfile(ROOT / name, target / name)
    return target


def _plant(tree: Path, path: str, text: str) -> None:
    """Adds the text, in a folder that is a package where its parent is one."""
    file = tree / path
    module = file.parent.with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    if module.exists():  # the part is a module: it becomes a package, as it may
        module.rename(file.parent / "__init__.py")
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


def _run(tool: str, tree: Path) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / one) for one in SOURCES), "COLUMNS": "200"}
    run = subprocess.run(
        TOOLS[tool], cwd=tree, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return run.returncode, run.stdout


@cache
def _unseeded(tool: str) -> str:
    with TemporaryDirectory() as folder:
        return _run(tool, _copied(Path(folder)))[1]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.sin)
def test_seeded_violation_is_caught(seed: Seed, copy: Path) -> None:
    assert seed.complaint not in _unseeded(seed.tool)
    for path in STAGE:
        _plant(copy, path, "")
    _plant(copy, seed.path, seed.text)

    code, said = _run(seed.tool, copy)

    assert code != 0
    assert seed.complaint in said
