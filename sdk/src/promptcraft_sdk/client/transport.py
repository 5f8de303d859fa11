"""The two clients: the same calls, sent by a program that waits and by one that does not."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from promptcraft_sdk.client import api
from promptcraft_sdk.client.credentials import Credentials
from promptcraft_sdk.client.errors import ApiError, TimedOut, Unreachable
from promptcraft_sdk.client.wire import Call

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A question that can be asked twice is asked once more where the connection broke on the way.
_PAUSE_BEFORE_SECOND_TRY = 0.2


class Client:
    """Sends calls and waits for them; renews its access token by itself while its session lasts.

    Raises ApiError for what the platform refuses, Unreachable, TimedOut and UnexpectedAnswer for the rest. `on_renewal`
    hears of every change of the credentials, so that they can be kept. A session credential is used once: programs that
    share one give `renewing`, which holds the others off meanwhile and gives the credentials as they are kept now. Not
    for use by several threads at once.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        on_renewal: Callable[[Credentials], None] | None = None,
        renewing: Callable[[], AbstractContextManager[Credentials | None]] = nullcontext,
    ) -> None:
        self._wire = _Wire(base_url, credentials, on_renewal)
        self._renewing = renewing
        self._http = httpx.Client(**self._wire.options)

    @property
    def base_url(self) -> str:
        return self._wire.base_url

    @property
    def credentials(self) -> Credentials:
        return self._wire.credentials

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far the platform's clock was ahead of this machine's at its last answer, by whole seconds."""
        return self._wire.clock_ahead

    def sign_in(self, username: str, password: str, code: str | None = None) -> Credentials:
        token = self.send(api.sign_in(username, password, code))
        return self._wire.keep(Credentials(username=username).renewed(token))

    def send(self, call: Call[T]) -> T:
        if call.signed and self.credentials.due:
            self._renew()
        try:
            return self._try(call)
        except ApiError as refusal:
            if not self._wire.may_renew_after(refusal, call):
                raise
        self._renew()
        return self._try(call)

    def _renew(self) -> None:
        with self._renewing() as kept:
            if kept is not None and kept.session != self.credentials.session:
                self._wire.credentials = kept  # another program has renewed meanwhile
                return
            token = self._try(api.renew(self.credentials.session))
            self._wire.keep(self.credentials.renewed(token))

    def _try(self, call: Call[T]) -> T:
        try:
            return self._once(call)
        except Unreachable as broken:
            if not self._wire.may_try_again_after(broken, call):
                raise
        time.sleep(_PAUSE_BEFORE_SECOND_TRY)
        return self._once(call)

    def _once(self, call: Call[T]) -> T:
        deadline = time.monotonic() + call.time_limit
        body = bytearray()
        try:
            with self._http.stream(**self._wire.request(call)) as response:
                self._wire.compare_clocks(response.headers.get("date", ""))
                for part in response.iter_bytes():
                    body += part
                    self._wire.check(deadline, call)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._wire.fail(error, call)
        return call.result(response.status_code, response.headers, bytes(body))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """Client for programs on an event loop: the same calls, errors and renewal. Use it from one loop."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        on_renewal: Callable[[Credentials], None] | None = None,
    ) -> None:
        self._wire = _Wire(base_url, credentials, on_renewal)
        self._http = httpx.AsyncClient(**self._wire.options)
        self._renewing = asyncio.Lock()

    @property
    def base_url(self) -> str:
        return self._wire.base_url

    @property
    def credentials(self) -> Credentials:
        return self._wire.credentials

    async def sign_in(self, username: str, password: str, code: str | None = None) -> Credentials:
        token = await self.send(api.sign_in(username, password, code))
        return self._wire.keep(Credentials(username=username).renewed(token))

    async def send(self, call: Call[T]) -> T:
        used = self.credentials.access_token
        if call.signed and self.credentials.due:
            await self._renew(used)
            used = self.credentials.access_token
        try:
            return await self._try(call)
        except ApiError as refusal:
            if not self._wire.may_renew_after(refusal, call):
                raise
        await self._renew(used)
        return await self._try(call)

    async def _renew(self, used: str) -> None:
        async with self._renewing:
            if self.credentials.access_token != used:
                return  # another task has renewed meanwhile
            token = await self._try(api.renew(self.credentials.session))
            self._wire.keep(self.credentials.renewed(token))

    async def _try(self, call: Call[T]) -> T:
        try:
            return await self._once(call)
        except Unreachable as broken:
            if not self._wire.may_try_again_after(broken, call):
                raise
        await asyncio.sleep(_PAUSE_BEFORE_SECOND_TRY)
        return await self._once(call)

    async def _once(self, call: Call[T]) -> T:
        deadline = time.monotonic() + call.time_limit
        body = bytearray()
        try:
            async with self._http.stream(**self._wire.request(call)) as response:
                async for part in response.aiter_bytes():
                    body += part
                    self._wire.check(deadline, call)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._wire.fail(error, call)
        return call.result(response.status_code, response.headers, bytes(body))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Wire:
    """What both clients decide alike; nothing here waits."""

    def __init__(
        self, base_url: str, credentials: Credentials | None, on_renewal: Callable[[Credentials], None] | None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.credentials = credentials or Credentials()
        self._on_renewal = on_renewal
        self.clock_ahead: timedelta | None = None

    def compare_clocks(self, date: str) -> None:
        with suppress(ValueError):
            self.clock_ahead = parsedate_to_datetime(date) - datetime.now(UTC)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            # A platform on this machine is never behind a proxy.
            "trust_env": urlsplit(self.base_url).hostname not in _LOOPBACK,
            "headers": {"User-Agent": "promptcraft-sdk"},
        }

    def request(self, call: Call[Any]) -> dict[str, Any]:
        return {
            "method": call.method,
            "url": call.path,
            "params": call.query,
            "content": call.body,
            "headers": call.headers(self.credentials.access_token),
            "timeout": httpx.Timeout(call.time_limit, connect=min(_CONNECT_SECONDS, call.time_limit)),
        }

    def keep(self, credentials: Credentials) -> Credentials:
        self.credentials = credentials
        if self._on_renewal is not None:
            self._on_renewal(credentials)
        return credentials

    def may_renew_after(self, refusal: ApiError, call: Call[Any]) -> bool:
        """A request refused at the door did nothing: with a new token even an unsafe one may be sent again."""
        return refusal.status == 401 and call.signed and self.credentials.renewable

    def may_try_again_after(self, broken: Unreachable, call: Call[Any]) -> bool:
        """Not where nobody listens: waiting a moment would only hide that."""
        return call.safe and not isinstance(broken.__cause__, httpx.ConnectError)

    def check(self, deadline: float, call: Call[Any]) -> None:
        """httpx limits the wait for each part of the answer; this limits all of them together."""
        if time.monotonic() > deadline:
            raise TimedOut(self.base_url, call.time_limit)

    def fail(self, error: Exception, call: Call[Any]) -> NoReturn:
        if isinstance(error, httpx.ConnectTimeout):
            raise Unreachable(self.base_url, f"no connection within {_CONNECT_SECONDS:g} s") from error
        if isinstance(error, httpx.TimeoutException):
            raise TimedOut(self.base_url, call.time_limit) from error
        raise Unreachable(self.base_url, _ERRNO.sub("", str(error)).lower() or "the connection broke") from error
