"""The forms a value may have, as §7 of the specification writes them: each parses text or refuses it with the fix."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from promptcraft.settings.problems import Refusal

_HOST = re.compile(r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?$")
_DURATION = re.compile(r"^(\d+)\s*(s|m|h|d|w)?$")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
_CPU = re.compile(r"^(\d+(?:\.\d+)?)(m?)$")
_AUTHOR = re.compile(r"^[^<>\n]{1,100} <[^<>@\s]+@[^<>@\s]+>$")
_LOGGER = re.compile(r"^[A-Za-z_][\w.]*$")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SCHEDULES = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 0", "monthly": "0 0 1 * *"}
_CRON_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written (`text`, for people) and how it is read."""

    text: str
    parse: Callable[[str], Any]
    secret: bool = False


def _refuse(expected: str) -> Refusal:
    return Refusal(f"is not {expected}", f"write {expected}")


def number(low: int, high: int) -> Form:
    """Accept a whole number within bounds."""
    text = f"a whole number from {low} to {high}"

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", value) or not low <= int(value) <= high:
            raise _refuse(text)
        return int(value)

    return Form(text, parse)


def amount() -> Form:
    """Accept a price: a decimal number, never a float."""
    text = "a decimal number of dollars, such as 0.0000125"

    def parse(value: str) -> Decimal:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,18})?", value):
            raise _refuse(text)
        return Decimal(value)

    return Form(text, parse)


def choice(*allowed: str, refused: Mapping[str, tuple[str, str]] | None = None) -> Form:
    """Accept one of a few words in any case; `refused` gives reason and fix for words people are known to write."""
    text = f"one of {', '.join(allowed)}"
    words = {word.lower(): word for word in allowed}

    def parse(value: str) -> str:
        if refused and value.lower() in refused:
            raise Refusal(*refused[value.lower()])
        if value.lower() not in words:
            raise _refuse(text)
        return words[value.lower()]

    return Form(text, parse)


def choices(*allowed: str) -> Form:
    """Accept one or more of a few words, between commas."""
    one = choice(*allowed)
    return Form(f"one or more of {', '.join(allowed)}, between commas", lambda value: _each(value, one.parse))


def csv(form: "Form", text: str) -> Form:
    """Accept a list between commas, each part of the given form."""
    return Form(text, lambda value: _each(value, form.parse))


def _each(value: str, parse: Callable[[str], Any]) -> tuple[Any, ...]:
    parts = [part.strip() for part in value.split(",")]
    return tuple(dict.fromkeys(parse(part) for part in parts if part))


def duration(unit: str) -> Form:
    """Accept a positive number in the unit of the setting's name (`24`), or with a unit of its own (`24h`)."""
    text = f"a number of {_UNITS[unit]}, or one with its unit such as 90s, 15m, 24h, 7d"

    def parse(value: str) -> timedelta:
        match = _DURATION.match(value)
        if not match or int(match[1]) == 0 or len(match[1]) > 7:
            raise _refuse(text)
        return timedelta(**{_UNITS[match[2] or unit]: int(match[1])})

    return Form(text, parse)


def parse_size(value: str) -> int:
    """Read a size of memory in bytes as Docker writes it: `512M` and `512Mi` are both 512 * 2**20."""
    match = _SIZE.match(value.strip())
    if not match:
        raise _refuse(SIZE_TEXT)
    size = int(Decimal(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))
    if not 1 <= size <= 2**50:
        raise _refuse(SIZE_TEXT)
    return size


def parse_cpu(value: str) -> Decimal:
    """Read a number of processors as Docker (`0.5`) or Kubernetes (`500m`) writes it."""
    match = _CPU.match(value.strip())
    cores = Decimal(match[1]) / (1000 if match[2] else 1) if match else Decimal(0)
    if not Decimal("0.001") <= cores <= 1024:
        raise _refuse(CPU_TEXT)
    return cores


def parse_schedule(value: str) -> str:
    """Read a schedule as a cron line of five fields; the words hourly, daily, weekly, monthly stand for one each."""
    if value.lower() in _SCHEDULES:
        return _SCHEDULES[value.lower()]
    fields = value.split()
    if len(fields) != 5 or not all(map(_cron_field, fields, _CRON_BOUNDS)):
        raise _refuse(SCHEDULE_TEXT)
    return " ".join(fields)


def _cron_field(field: str, bounds: tuple[int, int]) -> bool:
    low, high = bounds
    for part in field.split(","):
        match = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/([1-9]\d?))?", part)
        if not match:
            return False
        first, last = int(match[1] or low), int(match[2] or match[1] or high)
        if not low <= first <= last <= high:
            return False
    return True


def parse_log_levels(value: str) -> dict[str, str]:
    """Read `INFO,promptcraft.audit=DEBUG` as {"": "INFO", "promptcraft.audit": "DEBUG"}; "" is every other logger."""
    levels: dict[str, str] = {"": "INFO"}
    for part in value.split(","):
        logger, separator, level = part.strip().rpartition("=")
        if level.upper() not in _LEVELS or (separator and not _LOGGER.match(logger)):
            raise _refuse(LOG_TEXT)
        levels[logger] = level.upper()
    return levels


def parse_key(value: str) -> bytes:
    """Read 32 bytes written as 64 hexadecimal digits or as base64."""
    try:
        key = bytes.fromhex(value) if len(value) == 64 else base64.b64decode(value.translate(_URLSAFE) + "==")
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 32:
        raise Refusal("is not a key of 32 bytes", "make one with `openssl rand -base64 32`")
    return key


def _key(value: str) -> SecretStr:
    parse_key(value)
    return SecretStr(value)


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        if not _HOST.match(value):
            raise _refuse(HOST.text) from None
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise _refuse(NETWORK.text) from None


def _flag(value: str) -> bool:
    if value.lower() not in _FLAGS:
        raise _refuse(FLAG.text)
    return _FLAGS[value.lower()]


def _path(value: str) -> Path:
    if "\0" in value:
        raise _refuse(PATH.text)
    return Path(value).expanduser().absolute()


def _author(value: str) -> str:
    if not _AUTHOR.match(value):
        raise _refuse(AUTHOR.text)
    return value


def _word(value: str) -> str:
    if not re.fullmatch(r"[\w.:@/ +-]{1,255}", value):
        raise _refuse(WORD.text)
    return value


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", value):
        raise _refuse("organisation slugs of small letters, digits and -")
    return value


_URLSAFE = str.maketrans("-_", "+/")
SIZE_TEXT = "a size such as 512M, 1G or a number of bytes"
CPU_TEXT = "a number of processors such as 0.5, 1.0 or 500m"
SCHEDULE_TEXT = "hourly, daily, weekly, monthly or a cron line such as 0 2 * * *"
LOG_TEXT = "a level (DEBUG, INFO, WARNING, ERROR, CRITICAL), or several as INFO,promptcraft.audit=DEBUG"

FLAG = Form("true or false", _flag)
HOST = Form("a host name or an address", _host)
PORT = number(1, 65535)
LISTEN_PORT = number(0, 65535)
PATH = Form("a path", _path)
PATHS = csv(PATH, "paths between commas")
HOSTS = csv(HOST, "host names or addresses between commas")
NETWORK = Form("a network such as 172.21.0.0/16", _network)
NETWORKS = csv(NETWORK, "addresses or networks between commas, such as 127.0.0.1,10.0.0.0/8")
SLUGS = csv(Form("a slug", _slug), "organisation slugs between commas")
SIZE = Form(SIZE_TEXT, parse_size)
CPU = Form(CPU_TEXT, parse_cpu)
SCHEDULE = Form(SCHEDULE_TEXT, parse_schedule)
LOG_LEVELS = Form(LOG_TEXT, parse_log_levels)
AUTHOR = Form("a name and a mail address as `Name <mail>`", _author)
WORD = Form("a short text of letters, digits and . : @ / + - _", _word)
SECRET = Form("a secret", SecretStr, secret=True)
KEY = Form("a key of 32 bytes as base64 or hexadecimal digits", _key, secret=True)
