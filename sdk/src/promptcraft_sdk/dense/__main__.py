"""Write the vectors of an index's passages: `python -m promptcraft_sdk.dense INDEX TARGET`.

Runs behind everything else on its host and ends with the process that started it. Exit codes: 0 written, 3 the model is
not there, 2 the index cannot be read; the reason is the last line of standard error.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from promptcraft_sdk.dense.errors import DenseUnavailableError
from promptcraft_sdk.dense.model import load_encoder
from promptcraft_sdk.dense.vectors import build_vectors
from promptcraft_sdk.knowledge import KnowledgeError

NOT_THERE = 3
_NICE = 15


def _while_parent_lives() -> Callable[[], None]:
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            sys.exit("whoever asked for the vectors has ended")

    return check


def main(arguments: list[str]) -> int:
    index, target = (Path(argument) for argument in arguments)
    os.nice(_NICE)
    try:
        count = build_vectors(index, load_encoder(), target=target, before_each=_while_parent_lives())
    except DenseUnavailableError as reason:
        sys.stderr.write(f"{reason}\n")
        return NOT_THERE
    except KnowledgeError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(f"{count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
