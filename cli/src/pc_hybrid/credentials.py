"""Where credentials live between two commands: one file of mode 0600, keyed by the platform's address."""

import fcntl
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pc_hybrid.failures import Failure
from promptcraft_sdk.client import Credentials

DEFAULT_API_URL = "http://127.0.0.1:8000"


class Known(BaseModel):
    """The platforms that this user has signed in to, and the one that commands talk to."""

    model_config = ConfigDict(frozen=True)

    current: str = DEFAULT_API_URL
    platforms: dict[str, Credentials] = {}


class CredentialStore:
    """One file; two commands at once may both write it, neither loses the other's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "credentials.json"
        self._has_lock = False

    def read(self) -> Known:
        try:
            return Known.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return Known()
        except ValidationError as error:
            raise Failure(
                f"{self._file} is damaged", next_step="Remove the file, then sign in again: pc-hybrid login"
            ) from error
        except OSError as error:
            raise Failure(f"cannot read {self._file}: {error.strerror}", next_step="Check who owns it.") from error

    def keep(self, api_url: str, credentials: Credentials) -> None:
        with self._locked():
            known = self.read()
            self._write(Known(current=known.current, platforms=known.platforms | {api_url: credentials}))

    def make_current(self, api_url: str) -> None:
        with self._locked():
            self._write(Known(current=api_url, platforms=self.read().platforms))

    def forget(self, api_url: str) -> None:
        with self._locked():
            known = self.read()
            others = {url: kept for url, kept in known.platforms.items() if url != api_url}
            self._write(Known(current=known.current, platforms=others))

    @contextmanager
    def renewing(self, api_url: str) -> Generator[Credentials | None]:
        """Hold off other commands that would renew these credentials; gives them as they are kept now."""
        with self._locked():
            yield self.read().platforms.get(api_url)

    @contextmanager
    def _locked(self) -> Generator[None]:
        if self._has_lock:
            yield
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._directory / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._has_lock = True
                yield
        except OSError as error:
            raise Failure(
                f"cannot write in {self._directory}: {error.strerror}",
                next_step="Name another directory in PCH_CONFIG_DIR.",
            ) from error
        finally:
            self._has_lock = False

    def _write(self, known: Known) -> None:
        """Whole or not at all; mkstemp makes the file with mode 0600."""
        handle, name = tempfile.mkstemp(dir=self._directory, prefix=".credentials-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(known.model_dump_json(indent=2, exclude_defaults=True) + "\n")
        os.replace(name, self._file)
