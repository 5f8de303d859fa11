"""Which process has a pid: a number alone may belong to a stranger tomorrow."""

from pathlib import Path


def started(pid: int) -> int | None:
    """When the process that has this pid now was started, in ticks since the boot; None where there is none.

    A zombie counts as none: where nobody buries the dead, as in containers whose first process does not, they stay.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the second field is the command in brackets and may itself hold blanks and brackets
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
