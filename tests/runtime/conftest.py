import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.runtime.driver_contract")


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """For sockets, whose paths may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="pc-"))
    yield directory
    shutil.rmtree(directory)
