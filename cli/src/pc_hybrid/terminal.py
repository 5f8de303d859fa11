"""Where a command talks: data on standard output (or in a file), all else on standard error."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO, cast

from pc_hybrid import environment
from pc_hybrid.failures import Failure, missing
from pc_hybrid.text import safe

if TYPE_CHECKING:
    from pc_hybrid.formats import Columns, Select

Format = Literal["table", "json", "yaml", "csv"]
Style = Literal["bold", "dim", "green", "red", "yellow"]

_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "green": "32", "red": "31", "yellow": "33"}


class Answer(Protocol):
    """Anything of the API's that knows its own JSON (the client's models do)."""

    def model_dump(self, *, mode: str, exclude_unset: bool) -> dict[str, Any]: ...


Data = Answer | dict[str, Any] | Sequence[Answer] | Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Terminal:
    """One command's way to speak."""

    format: Format = "table"
    output_file: Path | None = None
    quiet: bool = False
    select: "Select | None" = None

    def data(
        self,
        answer: Data,
        lines: Iterable[str],
        *,
        rows: Sequence[Answer] | None = None,
        columns: "Columns | None" = None,
    ) -> None:
        """What the command was asked for: the API's data as JSON, YAML or CSV, or these lines of text.

        The lines must be safe already; they may hold colours made by `paint`. CSV has a line for each of `rows`, the
        answer itself without them; a list that may be empty needs its `columns`.
        """
        if self.format == "table" and self.select is None:
            if text := "\n".join(lines):
                self.text(text)
            return
        from pc_hybrid import formats

        if self.select is not None:
            if results := self.select(_plain(answer)):
                self.text(formats.rendered(results, self.format))
        elif self.format == "csv":
            of = answer if rows is None else rows
            self.text(formats.as_csv(_listed(of), formats.columns_of(columns or _columns_of(of))))
        elif self.format == "yaml":
            self.text(formats.as_yaml(_plain(answer)))
        else:
            self.text(formats.as_json(_plain(answer)))

    @property
    def shows_words(self) -> bool:
        """Whether somebody reads along as an answer comes."""
        return self.format == "table" and self.output_file is None and sys.stdout.isatty()

    def words(self, text: str) -> None:
        """A piece of text as it comes; what could be taken for the terminal's own signs is made safe."""
        print("\n".join(safe(line) for line in text.split("\n")), end="", flush=True)

    def text(self, text: str) -> None:
        if self.output_file is None:
            print(text, flush=True)
            return
        try:
            self.output_file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise Failure(
                f"cannot write {self.output_file}: {error.strerror}", next_step="Give another file."
            ) from error
        self.say(f"Written to {self.output_file}")

    def say(self, text: str = "", *, end: str = "\n") -> None:
        """Talk: standard error, and nothing at all with --quiet."""
        if not self.quiet:
            print(text, end=end, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """What must be heard even with --quiet."""
        print(f"{self.paint('Warning:', 'yellow', sys.stderr)} {safe(text)}", file=sys.stderr, flush=True)

    def paint(self, text: str, style: Style, stream: TextIO | None = None) -> str:
        """The text in colour where it goes to a terminal that wants it. `stream` is standard output unless given."""
        to_file = stream is None and self.output_file is not None
        if to_file or not coloured(stream or sys.stdout):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"

    @property
    def live(self) -> bool:
        """Whether a line may be drawn over."""
        return not self.quiet and sys.stderr.isatty() and environment.read().colour_wanted

    def ask(self, question: str, option: str, purpose: str, *, default: str | None = None) -> str:
        """An answer typed by a person; without a terminal the missing option is named instead."""
        if not people_here():
            raise missing(option, purpose)
        print(f"{question}: ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise missing(option, purpose)
        return answer.strip() or (default or "")

    def confirm(self, question: str, option: str) -> bool:
        return self.ask(f"{question} [y/N]", option, question).lower() in ("y", "yes")


def people_here() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def coloured(stream: TextIO) -> bool:
    return stream.isatty() and environment.read().colour_wanted


def _plain(answer: Data) -> object:
    """The JSON value that the platform sent: fields it left out stay out."""
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, Sequence):
        return [_plain(item) for item in answer]
    return answer.model_dump(mode="json", exclude_unset=True)


def _listed(answer: Data) -> list[dict[str, Any]]:
    plain = _plain(answer)
    return cast("list[dict[str, Any]]", plain if isinstance(plain, list) else [plain])


def _columns_of(answer: Data) -> "Columns":
    """The fields of the model that the answer is, or is a list of."""
    if isinstance(answer, dict):
        return list(answer)
    first = answer[0] if isinstance(answer, Sequence) else answer
    return cast("Columns", type(first))
