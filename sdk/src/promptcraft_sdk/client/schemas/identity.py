"""Who comes in, by what, and what they may do."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from promptcraft_sdk.client.schemas.base import Answer


class Token(Answer):
    access_token: str = Field(repr=False)
    expires_in: int
    session: str | None = Field(default=None, repr=False)
    session_expires_at: datetime | None = None
    second_factor_owed: bool = False


class SecondFactorSecret(Answer):
    """What an authenticator needs to know: base32, and the same as otpauth:// for a QR code."""

    secret: str = Field(repr=False)
    uri: str = Field(repr=False)


class RecoveryCodes(Answer):
    """Each takes the place of a code once."""

    recovery_codes: tuple[str, ...] = Field(repr=False)


class Organisation(Answer):
    id: UUID
    slug: str
    name: str


class Me(Answer):
    """Who the caller is, and what they may do."""

    user_id: UUID
    username: str
    display_name: str = ""
    organization: Organisation
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    session_expires_at: datetime | None = None


class LoginSession(Answer):
    """A login that lasts; `current` is the one that was asked by."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    current: bool = False


class ApiKey(Answer):
    """A key of a program; `hint` is how it begins."""

    id: UUID
    name: str
    hint: str
    user_id: UUID
    permissions: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


class NewApiKey(ApiKey):
    """`key` is here once and nowhere else."""

    key: str = Field(repr=False)


class User(Answer):
    """Somebody of the organisation; `invited` is true until they have set a password."""

    id: UUID
    username: str
    display_name: str = ""
    active: bool = True
    invited: bool = False
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_at: datetime


class Invitation(Answer):
    """A one-time way in; `invitation` is here once and nowhere else."""

    user: User
    invitation: str = Field(repr=False)
    expires_at: datetime


class AccountExport(Answer):
    """What was known of the account of somebody who left."""

    user: User
    sessions: tuple[LoginSession, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()


class Group(Answer):
    name: str
    members: int = 0
    roles: tuple[str, ...] = ()
    created_at: datetime


class Role(Answer):
    """A role, the bundles that it holds, and what these come to."""

    name: str
    bundles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


class OrganisationEntry(Answer):
    """An organisation as the platform's administrators see it; `users` are those who may come in."""

    id: UUID
    slug: str
    name: str
    active: bool = True
    users: int = 0
    created_at: datetime
    offboarding_id: UUID | None = None
    closed_at: datetime | None = None


class Export(Answer):
    """A zip archive of everything of an organisation; manifest.json in it has the SHA-256 of each of its files."""

    sha256: str
    bytes: int
    files: int
    written_at: datetime


class OrganisationFounded(Answer):
    organization: Organisation
    administrator: Invitation
