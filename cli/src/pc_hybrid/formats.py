"""The API's data as JSON, YAML and CSV, whole or as a jq program has it.

Every form holds nothing that a terminal would act upon, and CSV nothing that a spreadsheet would.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Protocol, cast, get_args

import jq
import yaml
from pydantic import BaseModel

from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.text import safe_json, safe_yaml, spelled

# The model of one row, whose fields are the columns, or the paths of the columns.
Columns = type[BaseModel] | Sequence[str]
Select = Callable[[object], list[Any]]


class _Program(Protocol):
    """The part of jq, which has no types, that is used here."""

    def input_value(self, value: object) -> Iterable[Any]: ...


def _compile(program: str) -> _Program:
    return cast("Callable[[str], _Program]", vars(jq)["compile"])(program)


# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), their full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Strings that are numbers to YAML 1.2 but not to the 1.1 that PyYAML writes.
_NUMBERS_OF_YAML_1_2 = ("0o", "0x", "0b", "+", "-", ".", *"0123456789")


def selection(program: str) -> Select:
    """What a jq program picks; Failure says where it is not one."""
    try:
        compiled = _compile(program)
    except ValueError as error:
        why = str(error).removeprefix("jq: error: ").rpartition("\njq: ")[0] or str(error)
        raise Failure(
            f"--jq is not a jq program: {why}",
            exit_code=ExitCode.USAGE,
            next_step="Try it on the whole data: -o json shows it. The language: https://jqlang.org/manual",
        ) from error

    def select(value: object) -> list[Any]:
        try:
            return list(compiled.input_value(value))
        except ValueError as error:
            raise Failure(
                f"--jq does not fit the data: {error}",
                exit_code=ExitCode.USAGE,
                next_step="See what there is: -o json without --jq.",
            ) from error

    return select


def as_json(value: object) -> str:
    return safe_json(json.dumps(value, ensure_ascii=False, indent=2))


def as_yaml(value: object) -> str:
    return safe_yaml(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)).rstrip("\n")


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A head and a line for each row: text as it is, None empty, lists as JSON, times and ids as the API has them."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(_at(row, column)) for column in columns] for row in rows)
    return written.getvalue().rstrip("\n")


def columns_of(columns: Columns) -> list[str]:
    """Always the same for the same version of the client, whatever the platform answers."""
    return list(_fields(columns)) if isinstance(columns, type) else list(columns)


def lines_of(results: Iterable[object]) -> str:
    """The results of a jq program as `jq -r` prints them: strings bare, the rest as JSON, a line each."""
    plain = (one if isinstance(one, str) else safe_json(json.dumps(one, ensure_ascii=False)) for one in results)
    return "\n".join(spelled(one) for one in plain)


def table_of(results: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows and columns of a jq program's results: those of one array are its items."""
    found = cast("list[Any]", results[0]) if len(results) == 1 and isinstance(results[0], list) else results
    rows = [_flat(cast("dict[str, Any]", one)) if isinstance(one, dict) else {"value": one} for one in found]
    return rows, list(dict.fromkeys(column for row in rows for column in row))


def rendered(results: list[Any], form: Literal["table", "json", "yaml", "csv"]) -> str:
    """What a jq program picked, in the form that was asked for."""
    if form == "csv":
        return as_csv(*table_of(results))
    if form == "json":
        return "\n".join(as_json(one) for one in results)
    if form == "yaml":
        return "\n---\n".join(as_yaml(one) for one in results)
    return lines_of(results)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield prefix + name
        else:
            yield from _fields(inner, f"{prefix}{name}.")


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds one of, or may."""
    options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        inner = cast("dict[str, Any]", value) if isinstance(value, dict) else None
        flat |= {prefix + key: value} if inner is None else _flat(inner, f"{prefix}{key}.")
    return flat


def _at(row: Mapping[str, Any], column: str) -> object:
    """The value at a path; a key may itself hold a dot."""
    if column in row:
        return row[column]
    head, _, rest = column.partition(".")
    inner = row.get(head)
    return _at(cast("dict[str, Any]", inner), rest) if rest and isinstance(inner, dict) else None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return safe_json(json.dumps(value, ensure_ascii=False))
    text = spelled(value)
    return f"'{text}" if value.lstrip(" ").startswith(_FORMULA) else text


class _Dumper(yaml.SafeDumper):
    """Text in several lines as a block, so that it can be read; numbers in quotes where only some readers see one."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if spelled(text) != text:
        style = '"'  # safe_yaml may escape what is within
    elif "\n" in text:
        style = "|"
    elif text.startswith(_NUMBERS_OF_YAML_1_2):
        style = "'"
    return cast("Any", dumper).represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
