"""Rows of the identity schema."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base
from promptcraft.kernel.ids import new_id

_USER = ["identity.user_account.org_id", "identity.user_account.id"]
_GROUP = ["identity.user_group.org_id", "identity.user_group.id"]
_ORGANISATION = ["identity.organisation.org_id"]


class OrganisationRow(Base):
    __tablename__ = "organisation"
    __table_args__ = (UniqueConstraint("slug"), {"schema": "identity"})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    offboarding_id: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]


class UserRow(Base):
    __tablename__ = "user_account"
    __table_args__ = (
        UniqueConstraint("username"),
        ForeignKeyConstraint(["org_id"], _ORGANISATION),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(Text)
    display_name: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class PasswordRow(Base):
    __tablename__ = "password"
    __table_args__ = (ForeignKeyConstraint(["org_id", "user_id"], _USER), {"schema": "identity"})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class InvitationRow(Base):
    """A one-time way to set a password; here is the SHA-256 of it."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("hash"),
        ForeignKeyConstraint(["org_id", "user_id"], _USER),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class GroupRow(Base):
    __tablename__ = "user_group"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        ForeignKeyConstraint(["org_id"], _ORGANISATION),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class GroupMemberRow(Base):
    __tablename__ = "group_member"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "group_id"], _GROUP, name="fk_group_member_org_id_group_id"),
        ForeignKeyConstraint(["org_id", "user_id"], _USER, name="fk_group_member_org_id_user_id"),
        Index("ix_group_member_user_id", "org_id", "user_id"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    group_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)


class RoleBindingRow(Base):
    """A role of one user, or of every member of one group."""

    __tablename__ = "role_binding"
    __table_args__ = (
        UniqueConstraint("org_id", "role", "user_id", "group_id", postgresql_nulls_not_distinct=True),
        ForeignKeyConstraint(["org_id", "user_id"], _USER, name="fk_role_binding_org_id_user_id"),
        ForeignKeyConstraint(["org_id", "group_id"], _GROUP, name="fk_role_binding_org_id_group_id"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    role: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID | None]
    group_id: Mapped[UUID | None]
    created_at: Mapped[datetime]


class SessionRow(Base):
    """A login. Its credentials are a family: each is used once and gives the next."""

    __tablename__ = "session"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "user_id"], _USER),
        Index("ix_session_user_id", "org_id", "user_id"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    second_factor: Mapped[bool] = mapped_column(default=False)


class SecondFactorRow(Base):
    """The secret of a user's one-time codes, sealed by the master key. `last_step` is that of the last code taken."""

    __tablename__ = "second_factor"
    __table_args__ = (ForeignKeyConstraint(["org_id", "user_id"], _USER), {"schema": "identity"})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed_secret: Mapped[bytes]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCodeRow(Base):
    """A code that takes the place of a one-time code, once; here is the SHA-256 of it."""

    __tablename__ = "recovery_code"
    __table_args__ = (ForeignKeyConstraint(["org_id", "user_id"], _USER), {"schema": "identity"})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(primary_key=True)


class SessionCredentialRow(Base):
    """A credential of a session, known to its holder alone; here is the SHA-256 of it."""

    __tablename__ = "session_credential"
    __table_args__ = (
        UniqueConstraint("hash"),
        ForeignKeyConstraint(["org_id", "session_id"], ["identity.session.org_id", "identity.session.id"]),
        Index("ix_session_credential_session_id", "org_id", "session_id"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiKeyRow(Base):
    """A program's credential: the SHA-256 of it, and `hint`, its first letters, by which people know it again.

    `permissions`, apart by blanks, bound what it may do; it never may more than its user.
    """

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("hash"),
        ForeignKeyConstraint(["org_id", "user_id"], _USER),
        Index("ix_api_key_user_id", "org_id", "user_id"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes]
    permissions: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class RevocationRow(Base):
    """What processes may still take for valid and must not: a token (by its jti), a session, a key, all of a user."""

    __tablename__ = "revocation"
    __table_args__ = (
        Index("ix_revocation_created_at", "created_at"),
        Index("ix_revocation_subject", "org_id", "subject"),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SigningKeyRow(Base):
    """A key of the platform's (org_id is the nil UUID); the private part is sealed by the master key."""

    __tablename__ = "signing_key"
    __table_args__ = (
        Index(
            "uq_signing_key_state", "org_id", "algorithm", "state", unique=True, postgresql_where="state <> 'retired'"
        ),
        {"schema": "identity"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    kid: Mapped[str] = mapped_column(Text, primary_key=True)
    algorithm: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    public_jwk: Mapped[str] = mapped_column(Text)
    sealed_private_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class LoginAttemptRow(Base):
    """Counts attempts while Redis is away; `key` is a hash of account and address."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index("ix_login_attempt_expires_at", "expires_at"), {"schema": "identity"})

    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    expires_at: Mapped[datetime]
