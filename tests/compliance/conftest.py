"""The command line, the factory at work and workers that die, together."""

from tests.agents.test_kills import killed as killed
from tests.agents.test_kills import workers as workers

from tests.agents.conftest import create as create
from tests.agents.conftest import host as host
from tests.cli.conftest import address as address
from tests.cli.conftest import home as home
from tests.cli.conftest import run as run
