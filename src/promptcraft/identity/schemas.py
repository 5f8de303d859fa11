"""What crosses identity's face."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from promptcraft.kernel.permissions import Permission


class TokenRequest(BaseModel):
    """Either a local account's username and password, or the session credential of an earlier login."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # PostgreSQL's text holds every character but one.
    username: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]*$")] | None = None
    # The bound keeps hashing cheap: argon2 reads all of it.
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)] | None = None
    session: Annotated[SecretStr, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def one_way_in(self) -> Self:
        by_password = self.username is not None and self.password is not None
        neither_half = self.username is None and self.password is None
        if by_password == (self.session is not None) or not (by_password or neither_half):
            raise ValueError("give username and password, or session alone")
        return self


class Tokens(BaseModel):
    """An access token of minutes, and the session credential that the next one is had for, once."""

    model_config = ConfigDict(frozen=True)

    access_token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6750)
    expires_in: Annotated[int, Field(description="seconds")]
    session: str = Field(repr=False)
    session_expires_at: datetime


RevocationKind = Literal["token", "session", "api_key", "user"]


class Session(BaseModel):
    """A login that lasts; `current` is the one that the request came by."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    created_at: datetime
    expires_at: datetime
    current: bool


class RevocationRequest(BaseModel):
    """A credential to revoke (RFC 7009): an access token, a session credential or an API key, of whoever holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: Annotated[SecretStr, Field(min_length=1, max_length=4096)]


class ApiKeyRequest(BaseModel):
    """`permissions` null: all that one holds at that time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
    permissions: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=100)] | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=366)] = 90


class ApiKeyRotation(BaseModel):
    """For how long the old key goes on opening doors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class ApiKey(BaseModel):
    """A key as it is known after it was made; `hint` is how it begins."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    hint: str
    user_id: UUID
    permissions: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewApiKey(ApiKey):
    """`key` is here once and nowhere else."""

    key: str = Field(repr=False)


class Organisation(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID = Field(validation_alias="org_id")
    slug: str
    name: str


class Me(BaseModel):
    """Who the caller is, and what they may do."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    username: str
    display_name: str
    organization: Organisation
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    permissions: tuple[str, ...]
    session_id: Annotated[UUID | None, Field(description="null for whoever comes by an API key")]
    session_expires_at: datetime | None


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517) of the public keys that access tokens are signed with."""

    model_config = ConfigDict(frozen=True)

    keys: tuple[dict[str, str], ...]


class FirstAdministrator(BaseModel):
    """Who may do everything first. `password` is known here once, and null where it was given out before."""

    model_config = ConfigDict(frozen=True)

    username: str
    password: str | None = Field(repr=False)
    organization: str
