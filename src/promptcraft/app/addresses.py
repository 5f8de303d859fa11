"""Settings without which a process cannot do its work; apart, because `migrate` needs nothing else of a process."""

from pydantic import SecretStr

from promptcraft.settings import SettingsError
from promptcraft.settings.problems import Problem


def needed(name: str, value: SecretStr | None) -> str:
    """The address that this setting gives. Raises SettingsError where it is not set."""
    if value is None:
        raise missing(name)
    return value.get_secret_value()


def missing(name: str) -> SettingsError:
    """What a role says that was started by hand without this setting."""
    fix = f"start the platform with `pc-hybrid up`, which makes it, or set {name}"
    return SettingsError([Problem(name, "is not set", fix)])
