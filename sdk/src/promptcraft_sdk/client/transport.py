"""The two clients: the same calls, sent by a program that waits and by one that does not."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, cast
from urllib.parse import urlsplit

import httpx

from promptcraft_sdk.client import api
from promptcraft_sdk.client.credentials import Credentials
from promptcraft_sdk.client.errors import ApiError, TimedOut, Unreachable
from promptcraft_sdk.client.streams import END, MEDIA_TYPE, Event, EventReader, Stream
from promptcraft_sdk.client.wire import Call, Entries

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A call that can be sent twice is sent once more where the connection broke on the way; and again while the platform
# still works on what arrived the first time.
_PAUSE_BEFORE_SECOND_TRY = 0.2
_PAUSE_WHILE_IN_USE = 1.0
_IN_USE = "idempotency_key_in_use"
_MOST_TROUBLES = 5


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
        """What the call brings; a list is gathered page by page."""
        answer = self._send(call)
        page = answer
        while (further := self._wire.further(call, answer, page)) is not None:
            page = self._send(further)
        return answer

    def _send(self, call: Call[T]) -> T:
        if call.signed and self.credentials.due:
            self._renew()
        try:
            return self._try(call)
        except ApiError as refusal:
            if not self._wire.may_renew_after(refusal, call):
                raise
        self._renew()
        return self._try(call)

    def stream(self, stream: Stream[T]) -> Iterator[Event[T]]:
        """The events of a stream as they come, to its end.

        One that is resumable is asked for again where it broke, from its last event on. Raises ApiError where the
        platform refuses or ends it early, Unreachable or TimedOut where it broke for good.
        """
        place = _Place(self._wire, stream)
        if self.credentials.due:
            self._renew()
        while not place.ended:
            try:
                for event in self._events(stream, place.last):
                    place.came_to(event)
                    yield event
                place.broke(None)
            except ApiError as refusal:
                place.refused(refusal)
                self._renew()
            except (Unreachable, TimedOut) as trouble:
                place.broke(trouble)
                time.sleep(_PAUSE_BEFORE_SECOND_TRY)

    def _events(self, stream: Stream[T], last: str) -> Iterator[Event[T]]:
        reader = EventReader()
        try:
            with self._http.stream(**self._wire.request(stream, last)) as response:
                if not self._wire.is_stream(response):
                    yield Event(END, stream.result(response.status_code, response.headers, response.read()))
                    return
                for part in response.iter_bytes():
                    for found in reader.feed(part):
                        if (event := stream.event(found)) is not None:
                            yield event
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._wire.fail(error, stream)

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
        deadline = time.monotonic() + call.time_limit
        while True:
            try:
                return self._once(call)
            except ApiError as refusal:
                self._wire.check_in_use(refusal, call, deadline)
            time.sleep(_PAUSE_WHILE_IN_USE)

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
        """What the call brings; a list is gathered page by page."""
        answer = await self._send(call)
        page = answer
        while (further := self._wire.further(call, answer, page)) is not None:
            page = await self._send(further)
        return answer

    async def _send(self, call: Call[T]) -> T:
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

    async def stream(self, stream: Stream[T]) -> AsyncIterator[Event[T]]:
        """The events of a stream as they come, to its end; as Client.stream."""
        place = _Place(self._wire, stream)
        used = self.credentials.access_token
        if self.credentials.due:
            await self._renew(used)
        while not place.ended:
            used = self.credentials.access_token
            try:
                async for event in self._events(stream, place.last):
                    place.came_to(event)
                    yield event
                place.broke(None)
            except ApiError as refusal:
                place.refused(refusal)
                await self._renew(used)
            except (Unreachable, TimedOut) as trouble:
                place.broke(trouble)
                await asyncio.sleep(_PAUSE_BEFORE_SECOND_TRY)

    async def _events(self, stream: Stream[T], last: str) -> AsyncIterator[Event[T]]:
        reader = EventReader()
        try:
            async with self._http.stream(**self._wire.request(stream, last)) as response:
                if not self._wire.is_stream(response):
                    body = await response.aread()
                    yield Event(END, stream.result(response.status_code, response.headers, body))
                    return
                async for part in response.aiter_bytes():
                    for found in reader.feed(part):
                        if (event := stream.event(found)) is not None:
                            yield event
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._wire.fail(error, stream)

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
        deadline = time.monotonic() + call.time_limit
        while True:
            try:
                return await self._once(call)
            except ApiError as refusal:
                self._wire.check_in_use(refusal, call, deadline)
            await asyncio.sleep(_PAUSE_WHILE_IN_USE)

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


class _Place:
    """How far a stream was read, and whether it may be asked for again."""

    def __init__(self, wire: "_Wire", stream: Stream[Any]) -> None:
        self._wire = wire
        self._stream = stream
        self._troubles = 0
        self._renewed = False
        self.last = ""
        self.ended = False

    def came_to(self, event: Event[Any]) -> None:
        self.last = event.id or self.last
        self._troubles, self._renewed = 0, False
        self.ended = event.name == END

    def broke(self, trouble: Exception | None) -> None:
        """Raises the trouble where it is one time too many; a stream that just stops has none of its own."""
        self._troubles += 1
        if not self.ended and (not self._stream.resumable or self._troubles > _MOST_TROUBLES):
            raise trouble or Unreachable(self._wire.base_url, "the stream broke off")

    def refused(self, refusal: ApiError) -> None:
        """Raises the refusal unless a new token may help."""
        if self._renewed or not self._wire.may_renew_after(refusal, self._stream):
            raise refusal
        self._renewed = True


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

    def request(self, call: Call[Any], last_event: str = "") -> dict[str, Any]:
        headers = call.headers(self.credentials.access_token)
        return {
            "method": call.method,
            "url": call.path,
            "params": call.query,
            "content": call.body,
            "headers": headers | {"Last-Event-ID": last_event} if last_event else headers,
            "timeout": httpx.Timeout(call.time_limit, connect=min(_CONNECT_SECONDS, call.time_limit)),
        }

    def further(self, call: Call[T], answer: T, page: T) -> Call[T] | None:
        """The call for the page after this one, which is added to the answer."""
        if page is not answer:
            gathered, added = cast("Entries[Any]", answer), cast("Entries[Any]", page)
            gathered.extend(added)
            gathered.cursor = added.cursor
        return call.further(answer)

    def is_stream(self, response: httpx.Response) -> bool:
        """Whether the answer comes in events; a refusal does not, nor does what an older platform answers."""
        return response.headers.get("content-type", "").startswith(MEDIA_TYPE)

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

    def check_in_use(self, refusal: ApiError, call: Call[Any], deadline: float) -> None:
        """Raise the refusal, unless it says that the first try is under way still and there is time to wait for it."""
        if not call.key or refusal.code != _IN_USE or time.monotonic() > deadline:
            raise refusal

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
