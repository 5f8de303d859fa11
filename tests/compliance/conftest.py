"""The command line, the factory at work and workers that die, together."""

from tests.agents.conftest import create as create
from tests.agents.conftest import host as host
from tests.agents.test_interrupted_steps import killed as killed
from tests.agents.test_interrupted_steps import workers as workers
from tests.cli.conftest import address as address
from tests.cli.conftest import home as home
from tests.cli.conftest import run as run
