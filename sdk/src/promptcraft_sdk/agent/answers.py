"""What an agent's tools return."""

from pydantic import BaseModel, ConfigDict, Field


class Citation(BaseModel):
    """Where in the knowledge an answer stands."""

    model_config = ConfigDict(frozen=True)

    file: str = Field(description="path below knowledge/documents")
    lines: str = Field(description='lines of the file, "a-b", counted from 1, both included', examples=["14-19"])
    start_line: int
    end_line: int
    commit: str | None = Field(description="commit of the agent's repository; null outside a repository")
    text: str = Field(description="the text on those lines")
    headings: list[str] = Field(description="titles above it, outermost first")
    pointer: str | None = Field(description="JSON pointer, if the file is JSON")


class Answer(BaseModel):
    """An answer from the knowledge with its citations, or none and what the agent knows about instead."""

    model_config = ConfigDict(frozen=True)

    answered: bool
    answer: str = Field(description="text to show; says that the agent does not know when answered is false")
    citations: list[Citation] = Field(description="best first, at most 3; empty when answered is false")
    confidence: float = Field(ge=0, le=1, description="how much of the question the knowledge holds")
    worded: bool = Field(default=False, description="whether a model worded it, from what is cited alone")
    topics: list[str] = Field(description="what the agent knows about; empty when answered is true")
