"""Runs `up` as the command does, with stand-ins for the roles: `up_with_stand_ins.py DATA_DIR PORT [--demo]`."""

import os
import sys
from pathlib import Path

from promptcraft.app.up.boot import Options
from promptcraft.app.up.errors import UpError
from promptcraft.app.up.run import run
from promptcraft.app.up.terminal import Terminal

if __name__ == "__main__":
    terminal = Terminal(verbose=True)
    options = Options(
        data_dir=Path(sys.argv[1]),
        port=int(sys.argv[2]),
        environment={"PATH": os.defpath},
        json=True,
        demo="--demo" in sys.argv,
        program=(sys.executable, str(Path(__file__).with_name("stand_in.py"))),
    )
    try:
        run(options, terminal)
    except UpError as error:
        terminal.refusal(error)
        sys.exit(error.exit_code)
