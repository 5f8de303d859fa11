"""An agent to run: `Agent.from_repository(root).run()`."""

from promptcraft_sdk.agent.answers import Answer, Citation
from promptcraft_sdk.agent.server import Agent

__all__ = ["Agent", "Answer", "Citation"]
