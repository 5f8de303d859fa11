"""Where credentials live between two commands: one file of mode 0600, by the context that they are for."""

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


class Context(BaseModel):
    """A platform, and what its user is let in by; nothing where they are not signed in."""

    model_config = ConfigDict(frozen=True)

    api_url: str
    credentials: Credentials | None = None


class Known(BaseModel):
    """The contexts by name, and the one that commands talk to."""

    model_config = ConfigDict(frozen=True)

    current: str = ""
    contexts: dict[str, Context] = {}

    def of(self, api_url: str) -> str | None:
        """The context of this address: the one in use where several are."""
        names = [name for name, context in self.contexts.items() if context.api_url == api_url]
        return self.current if self.current in names else next(iter(names), None)


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

    @property
    def file(self) -> Path:
        return self._file

    def put(self, name: str, context: Context) -> None:
        """Make a context, or replace what it has."""
        with self._locked():
            known = self.read()
            self._write(Known(current=known.current, contexts=known.contexts | {name: context}))

    def keep(self, name: str, api_url: str, credentials: Credentials | None) -> None:
        """Keep what lets in, or forget it; nothing where the context has come to be another platform's, or is gone."""
        with self._locked():
            known = self.read()
            context = known.contexts.get(name)
            if context is not None and context.api_url == api_url:
                changed = Context(api_url=api_url, credentials=credentials)
                self._write(Known(current=known.current, contexts=known.contexts | {name: changed}))

    def use(self, name: str) -> None:
        with self._locked():
            self._write(Known(current=name, contexts=self.read().contexts))

    def remove(self, name: str) -> None:
        with self._locked():
            known = self.read()
            others = {other: context for other, context in known.contexts.items() if other != name}
            self._write(Known(current=known.current if known.current in others else "", contexts=others))

    @contextmanager
    def renewing(self, name: str) -> Generator[Credentials | None]:
        """Hold off other commands that would renew these credentials; gives them as they are kept now."""
        with self._locked():
            context = self.read().contexts.get(name)
            yield context.credentials if context else None

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
