"""Writes docs/openapi.json, the description of the HTTP API, from the application itself; a test compares them.

Run `python -m tools.generate_openapi`, or with `--check` to compare only.
"""

import json
import sys
import tempfile
from pathlib import Path

from promptcraft.app.api import make_app
from promptcraft.app.process import open_process
from promptcraft.settings import load_settings
from tools.committed import keep

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTION = ROOT / "docs" / "openapi.json"

# Nothing is connected before it is used, and a description uses nothing.
NOWHERE = {
    "ANALYTICS_DB_URL": "postgresql://owner@127.0.0.1:1/nowhere",
    "PROMPTCRAFT_DB_APP_URL": "postgresql://app@127.0.0.1:1/nowhere",
    "PROMPTCRAFT_DB_SYSTEM_URL": "postgresql://system@127.0.0.1:1/nowhere",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PROMPTCRAFT_MASTER_KEY": "k" * 43,
}


def description() -> str:
    """Render the description: OpenAPI 3.1, keys sorted, two spaces."""
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings({**NOWHERE, "PROMPTCRAFT_DATA_DIR": directory})
        schema = make_app(open_process("api", settings)).openapi()
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(keep({DESCRIPTION: description}, "tools.generate_openapi", sys.argv[1:]))
