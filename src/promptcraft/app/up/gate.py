"""Lets a role import everything while the database is still being made, and start when it may.

The supervisor gives the role one end of a pipe; the role waits at it after its imports.
"""

import os
from dataclasses import dataclass

_OPEN = b"1"
_SUPERVISOR_GONE = 118


def wait_for_gate(descriptor: int | None) -> None:
    """Return when the supervisor opens the gate, at once when there is none; end the process if it never will."""
    if descriptor is None:
        return
    said = os.read(descriptor, 1)
    os.close(descriptor)
    if said != _OPEN:
        os._exit(_SUPERVISOR_GONE)


@dataclass(slots=True)
class Gate:
    """The supervisor's side: closed until `open`."""

    inner: int
    outer: int

    @classmethod
    def make(cls) -> "Gate":
        inner, outer = os.pipe2(os.O_CLOEXEC)
        return cls(inner, outer)

    def given(self) -> None:
        """Forget the role's end once the role has it, so that its death is noticed."""
        os.close(self.inner)

    def open(self) -> None:
        try:
            os.write(self.outer, _OPEN)
        except BrokenPipeError:
            pass  # the role has ended: whoever watches it will say so
        finally:
            os.close(self.outer)
