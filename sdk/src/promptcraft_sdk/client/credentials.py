"""What a signed-in program holds, and when it has to ask for more."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from promptcraft_sdk.client.schemas import Token

# An access token this close to its end may be refused by the time it arrives.
_MARGIN = timedelta(seconds=30)


class Credentials(BaseModel):
    """An access token of minutes, and the session credential that a new one is had for.

    Either may be empty: with a session alone the first call asks for a token, with a token alone it cannot be renewed.
    """

    model_config = ConfigDict(frozen=True)

    username: str = ""
    access_token: str = Field(default="", repr=False)
    expires_at: datetime | None = None
    session: str = Field(default="", repr=False)
    session_expires_at: datetime | None = None
    second_factor_owed: bool = False

    @property
    def renewable(self) -> bool:
        return bool(self.session)

    @property
    def due(self) -> bool:
        """Whether it is time to renew, as far as this machine's clock can tell."""
        if not self.renewable:
            return False
        return not self.access_token or (self.expires_at is not None and datetime.now(UTC) > self.expires_at - _MARGIN)

    def renewed(self, token: Token) -> "Credentials":
        return Credentials(
            username=self.username,
            access_token=token.access_token,
            expires_at=datetime.now(UTC) + timedelta(seconds=token.expires_in),
            session=token.session or self.session,
            session_expires_at=token.session_expires_at or self.session_expires_at,
            second_factor_owed=token.second_factor_owed,
        )
