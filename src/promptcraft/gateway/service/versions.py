"""Which state of a thing somebody looked at before they changed it (RFC 9110 §13.1.1)."""

from hashlib import sha256

from pydantic import BaseModel

from promptcraft.gateway.errors import ChangedMeanwhile


def etag(shown: BaseModel) -> str:
    """The strong entity tag of this state."""
    return f'"{sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def refuse_stale(expected: str | None, shown: BaseModel) -> None:
    """Raises ChangedMeanwhile where `expected`, an If-Match, names other states than this one."""
    if expected is None or expected.strip() == "*":
        return
    if etag(shown) not in [one.strip() for one in expected.split(",")]:
        raise ChangedMeanwhile
