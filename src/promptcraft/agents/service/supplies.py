"""What set-up laid ready for agents. Apart from render.py, whose imports only a worker should pay for."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TEMPLATE: Final = Path(__file__).resolve().parent.parent / "template"


@dataclass(frozen=True, slots=True)
class Supplies:
    """What `make setup` laid ready for agents: the SDK's wheel, the lock of all else, an environment of both.

    And the template that their repositories are rendered from.
    """

    wheel: Path
    lock: Path
    environment: Path
    template: Path = TEMPLATE

    @classmethod
    def of_installation(cls) -> "Supplies":
        share = Path(sys.prefix) / "share" / "promptcraft"
        wheel = max((share / "wheels").glob("promptcraft_sdk-*.whl"))
        return cls(wheel, share / "agent-requirements.txt", (share / "agent-envs" / "default").resolve())
