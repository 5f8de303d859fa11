"""What is wrong with a setting: its name, the shape of what was given (never the value), and the fix."""

from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(ValueError):
    """Raised by a form or a rule: the problem and the fix, without the name, which the loader knows."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused setting. `given` describes the shape of the value: a setting may hold a secret by mistake."""

    name: str
    problem: str
    fix: str
    given: str = ""

    def __str__(self) -> str:
        given = f" (given: {self.given})" if self.given else ""
        return f"{self.name}: {self.problem}{given}. Fix: {self.fix}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds every reason at once, not the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shape(value: str) -> str:
    """Say what kind of text was given without giving it away."""
    if not value:
        return "nothing"
    if value.isdecimal():
        return f"a number of {len(value)} digit{'s' * (len(value) > 1)}"
    scheme, separator, _ = value.partition("://")
    if separator and scheme.isascii() and len(scheme) <= 20:
        return f"an address of {len(value)} characters"
    words = len(value.split())
    kind = "a word" if words == 1 else f"a text of {words} words and"
    return f"{kind} of {len(value)} characters" if words == 1 else f"{kind} {len(value)} characters"
