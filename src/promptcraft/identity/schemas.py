"""What crosses identity's face."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from promptcraft.kernel.permissions import Permission, Role
from promptcraft.kernel.texts import Number

_SAID: JsonValue = {"type": "string"}
_UNSAID: JsonValue = {"type": "null"}
_WAYS_IN: list[JsonValue] = [
    {"required": ["username", "password"], "properties": {"username": _SAID, "password": _SAID, "session": _UNSAID}},
    {
        "required": ["session"],
        "properties": {"session": _SAID, **dict.fromkeys(("username", "password", "code"), _UNSAID)},
    },
]


class TokenRequest(BaseModel):
    """Either a local account's username and password, or the session credential of an earlier login."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [{"username": "ada", "password": "as long as it has to be"}],
            "oneOf": _WAYS_IN,
        },
    )

    # PostgreSQL's text holds every character but one.
    username: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]*$")] | None = None
    # The bound keeps hashing cheap: argon2 reads all of it.
    password: Annotated[SecretStr, Field(min_length=1, max_length=1024)] | None = None
    session: Annotated[SecretStr, Field(min_length=1, max_length=200)] | None = None
    code: Annotated[SecretStr, Field(min_length=1, max_length=40, description="of the second factor")] | None = None

    @model_validator(mode="after")
    def one_way_in(self) -> Self:
        by_password = self.username is not None and self.password is not None
        neither_half = self.username is None and self.password is None
        if by_password == (self.session is not None) or not (by_password or neither_half):
            raise ValueError("give username and password, or session alone")
        if self.code is not None and not by_password:
            raise ValueError("a code goes with username and password")
        return self


class Tokens(BaseModel):
    """An access token of minutes, and the session credential that the next one is had for, once."""

    model_config = ConfigDict(frozen=True)

    access_token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6750)
    expires_in: Annotated[int, Field(description="seconds")]
    session: str = Field(repr=False)
    session_expires_at: datetime
    second_factor_owed: Annotated[
        bool, Field(description="true where this session may do nothing but set up a second factor")
    ] = False


RevocationKind = Literal["token", "session", "api_key", "user", "organisation"]


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
    expires_in_days: Annotated[int, Field(ge=1, le=366), Number] = 90


class ApiKeyRotation(BaseModel):
    """For how long the old key goes on opening doors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_hours: Annotated[int, Field(ge=0, le=168), Number] = 24


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


# PostgreSQL's text holds every character but one; names are of one line.
Username = Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")]
DisplayName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
GroupName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]*$")]
# Long ones that people can remember are better than short ones with odd characters (NIST SP 800-63B).
Password = Annotated[SecretStr, Field(min_length=12, max_length=1024)]


class User(BaseModel):
    """Somebody of the organisation; `invited` is true until they have set a password."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    username: str
    display_name: str
    active: bool
    invited: bool
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    created_at: datetime


class UserInvitation(BaseModel):
    """Who is invited, and what they will be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: Username
    display_name: DisplayName | None = None
    roles: Annotated[tuple[Role, ...], Field(max_length=10)] = (Role.VIEWER,)
    groups: Annotated[tuple[GroupName, ...], Field(max_length=50)] = ()


class Invitation(BaseModel):
    """A one-time way in; `invitation` is here once and nowhere else."""

    model_config = ConfigDict(frozen=True)

    user: User
    invitation: str = Field(repr=False)
    expires_at: datetime


class InvitationAcceptance(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    invitation: Annotated[SecretStr, Field(min_length=1, max_length=200)]
    password: Password


class RolesOf(BaseModel):
    """All the roles that one holds from here on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: Annotated[tuple[Role, ...], Field(max_length=10)]


class GroupsOf(BaseModel):
    """All the groups that one is in from here on; those that there are not yet are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: Annotated[tuple[GroupName, ...], Field(max_length=50)]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    members: int
    roles: tuple[str, ...]
    created_at: datetime


class RoleShown(BaseModel):
    """A role, the bundles of the specification that it holds, and what these come to."""

    model_config = ConfigDict(frozen=True)

    name: str
    bundles: tuple[str, ...]
    permissions: tuple[str, ...]


class OrganisationFounding(BaseModel):
    """A new organisation; `administrator` is the username that is invited to administer it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    name: DisplayName
    administrator: Username


class OrganisationEntry(BaseModel):
    """An organisation as the platform's administrators see it; `users` are those who may come in.

    `offboarding_id` is of the job that takes everything from it, or took; from `closed_at` on it stays closed.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    slug: str
    name: str
    active: bool
    users: int
    created_at: datetime
    offboarding_id: UUID | None
    closed_at: datetime | None


class Closing(BaseModel):
    """What ended when an organisation was closed, in numbers."""

    model_config = ConfigDict(frozen=True)

    sessions: int
    api_keys: int
    users: int


class OrganisationFounded(BaseModel):
    model_config = ConfigDict(frozen=True)

    organization: Organisation
    administrator: Invitation


class SecondFactorSecret(BaseModel):
    """What an authenticator needs to know (RFC 6238); here once and nowhere else."""

    model_config = ConfigDict(frozen=True)

    secret: Annotated[str, Field(repr=False, description="base32")]
    uri: Annotated[str, Field(repr=False, description="otpauth://, for a QR code")]


class Code(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    code: Annotated[SecretStr, Field(min_length=1, max_length=40)]


class RecoveryCodes(BaseModel):
    """Each takes the place of a code once; here once and nowhere else."""

    model_config = ConfigDict(frozen=True)

    recovery_codes: Annotated[tuple[str, ...], Field(repr=False)]


class AccountExport(BaseModel):
    """What identity knew of somebody who left."""

    model_config = ConfigDict(frozen=True)

    user: User
    sessions: tuple[Session, ...]
    api_keys: tuple[ApiKey, ...]


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
