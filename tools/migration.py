"""Start a migration: `make migration m="add approvals"` writes the next numbered file in migrations/versions."""

import re
import sys

from alembic import command
from alembic.script import ScriptDirectory

from promptcraft.migrations.upgrade import alembic_config


def main() -> None:
    message = sys.argv[1].strip()
    config = alembic_config()
    config.set_main_option("file_template", "%%(rev)s")
    head = ScriptDirectory.from_config(config).get_current_head() or "0000"
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")
    command.revision(config, message=message, rev_id=f"{int(head[:4]) + 1:04}_{slug}")
    print("Expand first, contract in a later release: this version and the last one run at once.")


if __name__ == "__main__":
    main()
