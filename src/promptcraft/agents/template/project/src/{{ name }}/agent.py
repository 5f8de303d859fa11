"""The agent. Tools of your own go here."""

from pathlib import Path

from promptcraft_sdk.agent import Agent

ROOT = Path(__file__).resolve().parents[2]


def make_agent() -> Agent:
    """The agent of this repository, with `ask` and one tool for each capability in config/agent.json."""
    agent = Agent.from_repository(ROOT)

    # A tool of your own is a function with annotations and a docstring:
    #
    # @agent.tool()
    # def days_between(start: date, end: date) -> int:
    #     """How many days lie between two dates."""
    #     return (end - start).days

    return agent
