"""What the supervisor of `up` hands to the processes it starts: the settings that were given, and little else."""

import os
from collections.abc import Mapping
from pathlib import Path

from promptcraft.settings.model import SETTINGS_FILE, known_names, secret_names

# What programs need whatever they do: to find others, write temporary files, trust certificates, know the language.
_EVERY_PROGRAM = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)


def handed_over(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Pick the settings that were given and what every program needs; `environ` defaults to the process's own."""
    environ = os.environ if environ is None else environ
    ours = known_names() | {f"{name}_FILE" for name in secret_names()}
    picked = {
        name: value
        for name, value in environ.items()
        if name in ours or name in _EVERY_PROGRAM or name.startswith("LC_")
    }
    if SETTINGS_FILE in picked:
        picked[SETTINGS_FILE] = str(Path(picked[SETTINGS_FILE]).expanduser().absolute())
    return picked
