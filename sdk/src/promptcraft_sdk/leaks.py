"""Credentials that were left in files: found by the form that their issuers give them, not by guessing at entropy.

    python -m promptcraft_sdk.leaks [DIRECTORY]

Prints one JSON object to a line for each, with the secret masked, and exits with 1 where there is one. Documents show
placeholders, which are no secrets; a line that says `pragma: allowlist secret` is passed over.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

ALLOWED: Final = "pragma: allowlist secret"
MOST_LEAKS: Final = 20

_BINARY: Final = (".whl", ".npy", ".npz")
_FORMS: Final[dict[str, str]] = {
    "private_key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:\s|\\n|[A-Za-z-]+: [^\n]*\n){1,200}[A-Za-z0-9+/]{40,}",
    "aws_access_key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b",
    "gitlab_token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "slack_token": r"\bxox[abeoprs]-[0-9A-Za-z-]{20,}",
    "slack_webhook": r"\bhooks\.slack\.com/services/T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,}",
    "stripe_key": r"\b[rs]k_live_[0-9A-Za-z]{20,}",
    "google_api_key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "model_provider_key": r"\bsk-(?:ant-|proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}",
    "npm_token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi_token": r"\bpypi-AgE[A-Za-z0-9_-]{50,}",
    "sendgrid_key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    "huggingface_token": r"\bhf_[A-Za-z]{34}\b",
    "azure_storage_key": r"\bAccountKey=[A-Za-z0-9+/]{86}==",
    "promptcraft_api_key": r"\bpcat_[A-Za-z0-9_-]{30,}",
}
_ANY: Final = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _FORMS.items()))
_PLACEHOLDER: Final = re.compile(r"example|placeholder|your[_-]|x{5,}|0{6,}|1234567|abcdefg", re.IGNORECASE)
_LEAST_DISTINCT: Final = 10


class Leak(BaseModel):
    """One secret: in which file, on which line, and how it begins."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int = Field(description="counted from 1")
    kind: str
    masked: str = Field(description="what it begins with, and how long it is")


def leaks_in(root: Path) -> Iterator[Leak]:
    """Every secret in the files below `root`, links and binaries apart."""
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix in _BINARY or ".git" in path.relative_to(root).parts:
            continue
        yield from _leaks_of(path.relative_to(root).as_posix(), path.read_bytes().decode(errors="replace"))


def _leaks_of(file: str, text: str) -> Iterator[Leak]:
    for found in _ANY.finditer(text):
        secret = found.group()
        if _PLACEHOLDER.search(secret) or len(set(secret)) < _LEAST_DISTINCT:
            continue
        begins = text.rfind("\n", 0, found.start()) + 1
        ends = text.find("\n", found.start())
        if ALLOWED in text[begins : len(text) if ends < 0 else ends]:
            continue
        line = text.count("\n", 0, found.start()) + 1
        yield Leak(file=file, line=line, kind=str(found.lastgroup), masked=_masked(str(found.lastgroup), secret))


def _masked(kind: str, secret: str) -> str:
    shown = "-----BEGIN" if kind == "private_key" else secret[:4]
    return f"{shown}… ({len(secret)} characters)"


def main() -> int:
    """Search the directory that is named, or this one."""
    found = 0
    for leak in leaks_in(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        found += 1
        if found <= MOST_LEAKS:
            print(json.dumps(leak.model_dump()))  # noqa: T201  the program's outcome
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
