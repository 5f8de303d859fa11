"""Lists a page at a time: a cursor is the place of the last entry, so what is added meanwhile shifts nothing."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.errors import BadRequest, FieldProblem

T = TypeVar("T")
MOST = 200
_ALL = 10**6
_READ: dict[type, Callable[[str], object]] = {UUID: UUID, datetime: datetime.fromisoformat, str: str}


@dataclass(slots=True)
class Page:
    """Which part of a list is asked for; `further` is told the place where the next part begins, if there is one."""

    limit: int = _ALL
    after: tuple[str, ...] = ()
    further: Callable[[tuple[str, ...]], None] = lambda _: None

    async def of(self, session: AsyncSession, query: Select[Any], *by: Any, newest_first: bool = False) -> list[Any]:
        """The first value of the rows on this page, in the order of `by`, which tells all rows apart."""
        if self.after:
            if len(self.after) != len(by):
                raise _refused()
            places = tuple_(*(_value(column, text) for column, text in zip(by, self.after, strict=True)))
            query = query.where(tuple_(*by) < places if newest_first else tuple_(*by) > places)
        order = [column.desc() if newest_first else column for column in by]
        rows = (await session.execute(query.add_columns(*by).order_by(*order).limit(self.limit + 1))).all()
        return self._kept([(row[0], tuple(_text(value) for value in row[-len(by) :])) for row in rows])

    def of_list(self, entries: Sequence[T], key: Callable[[T], tuple[str, ...]]) -> list[T]:
        """The entries on this page of a short list that is here already, in the order of `key`."""
        placed = sorted([(entry, key(entry)) for entry in entries], key=lambda one: one[1])
        return self._kept([one for one in placed if one[1] > self.after])

    def _kept(self, placed: Sequence[tuple[T, tuple[str, ...]]]) -> list[T]:
        if len(placed) > self.limit:
            self.further(placed[self.limit - 1][1])
        return [entry for entry, _ in placed[: self.limit]]


def cursor(of_list: str, place: tuple[str, ...]) -> str:
    """The place as callers carry it; `of_list` tells the list, with its filters, from every other."""
    content = orjson.dumps([_digest(of_list), *place])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def place_of(of_list: str, given: str) -> tuple[str, ...]:
    """The place that a cursor names. Raises BadRequest for one that this list did not give."""
    try:
        whose, *place = orjson.loads(base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True))
    except (ValueError, TypeError):
        raise _refused() from None
    if whose != _digest(of_list) or not all(isinstance(one, str) for one in place):
        raise _refused()
    return tuple(place)


def _digest(of_list: str) -> str:
    return sha256(of_list.encode()).hexdigest()[:8]


def _refused() -> BadRequest:
    problem = FieldProblem("/cursor", "is not one that this list gave")
    return BadRequest("The cursor is not usable.", errors=[problem], next_step="Leave it out to begin anew.")


def _value(column: Any, text: str) -> object:
    try:
        return _READ[column.type.python_type](text.replace("\0", ""))
    except ValueError:
        raise _refused() from None


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
