"""An agent: its configuration and knowledge behind the tools of an MCP server."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from mcp.server.mcpserver import Context as RequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptcraft_sdk.agent.answers import Answer, Citation
from promptcraft_sdk.agent.knowledge import Knowledge
from promptcraft_sdk.agent.model import Granted, ModelUnusableError, PlatformModel
from promptcraft_sdk.agent.process import Process
from promptcraft_sdk.agent.repository import commit_of
from promptcraft_sdk.configuration import ASK, CONFIG_FILE, INDEX, AgentConfig, load_config
from promptcraft_sdk.knowledge import Index, Passage, load_index
from promptcraft_sdk.parts import Part
from promptcraft_sdk.retrieval import topics

_WITHOUT_MODEL = "(The model that words answers was of no use, so these are the documents' own words.)"
_LOOK_SECONDS = 2.0
# three questions and the beginning of an answer
_MOST_BEFORE = 4
_log = logging.getLogger(__name__)
_READS_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_Function = TypeVar("_Function", bound=Callable[..., Any])

Query = Annotated[str, Field(min_length=1, max_length=20_000, description="the question, in plain words")]
Context = Annotated[
    list[Annotated[str, Field(max_length=20_000)]],
    Field(max_length=20, description="earlier questions of the same conversation, the latest last"),
]
Asking = RequestContext[Any, Any]
Limit = Annotated[int, Field(ge=1, le=3, description="at most so many citations")]


class _Telling:
    """Tells whoever asked of an answer's parts as they come, where they asked for progress."""

    def __init__(self, request: Asking) -> None:
        self._request = request
        self._told = 0

    async def tell(self, part: Part) -> None:
        self._told += 1
        await self._request.report_progress(self._told, message=part.message())

    async def words(self, words: str) -> None:
        await self.tell(Part(delta=words))


class Agent:
    """Answers from its knowledge with citations, over MCP, and says so when it does not know.

    Own tools are added with the `tool` decorator, before `run`. With the repository's `root`, it also finds by meaning
    once its passages have vectors there; with a `model`, that words the answers of questions for which it is granted.
    """

    def __init__(
        self,
        config: AgentConfig,
        index: Index,
        commit: str | None = None,
        *,
        root: Path | None = None,
        model: PlatformModel | None = None,
    ) -> None:
        self.config = config
        self.index = index
        self.commit = commit
        self._model = model
        self._topics = topics(index)
        self._knowledge = Knowledge(config, index, root)
        self._server = MCPServer(
            config.name,
            title=config.display_name,
            description=config.description,
            instructions=config.description,
            version=config.version,
            log_level="WARNING",
        )
        self._add_tools()

    @classmethod
    def from_repository(cls, root: Path) -> "Agent":
        """The agent whose repository is at `root`.

        Raises OSError or ValueError if config/agent.json cannot be used, KnowledgeError if the index cannot.
        """
        process = Process.of_this_one()
        model = PlatformModel(process.models) if process.models else None
        commit = commit_of(root) or process.commit
        return cls(load_config(root / CONFIG_FILE), load_index(root / INDEX), commit, root=root, model=model)

    def tool(self, *, name: str | None = None, description: str | None = None) -> Callable[[_Function], _Function]:
        """Offer a function as a further tool; its annotations are the schema, its docstring the description."""

        def add(function: _Function) -> _Function:
            self._server.add_tool(function, name=name, description=description)
            return function

        return add

    def ask(self, query: str, context: list[str] | None = None, limit: int = 3, *, capability: str = "") -> Answer:
        """Answer a question; with a `capability`, only from passages that hold its words as well."""
        added = [capability] if capability else []
        found = self._knowledge.answerer.answer(
            query, added=added, context=(context or [])[-_MOST_BEFORE:], limit=limit
        )
        if not found.answered:
            return self._declined(found.confidence)
        citations = [self._citation(passage) for passage in found.passages]
        return Answer(answered=True, answer=found.answer, citations=citations, confidence=found.confidence, topics=[])

    def health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "name": self.config.name,
            "version": self.config.version,
            "commit": self.commit,
            "knowledge": self._knowledge.health(),
        }

    def refresh(self) -> bool:
        """Take up vectors and calibration that came into the repository since; says whether there were any.

        `run` does so every two seconds; a question that is being answered meanwhile is answered as it began.
        """
        return self._knowledge.refresh()

    def app(self, security: TransportSecuritySettings | None = None) -> Starlette:
        """The ASGI application: MCP at /mcp (stateless, both protocol eras) and GET /health.

        Whoever closes the connection ends the work on a question; parts of an answer go before it to who asks for them.
        """
        return self._server.streamable_http_app(
            stateless_http=True, json_response=False, transport_security=security or Process().security
        )

    def run(self) -> None:
        """Serve where the environment says (AGENT_SOCKET, else AGENT_HOST and AGENT_PORT) until told to stop."""
        threading.Thread(target=self._keep_fresh, name="refresh", daemon=True).start()
        Process.of_this_one().serve(self.app)

    def _keep_fresh(self) -> None:
        never = threading.Event()
        while not never.wait(_LOOK_SECONDS):
            self.refresh()

    def _add_tools(self) -> None:
        async def ask(query: Query, request: Asking, context: Context = [], limit: Limit = 3) -> Answer:  # noqa: B006 - never changed; a schema's default
            return await self._answer(request, query, context, limit)

        about = f"Ask {self.config.display_name}. Answers from its own documents, with citations."
        self._add(ASK, f"{about}\n\n{self.config.description}".strip(), ask)
        for name, capability in self.config.tools.items():
            self._add(name, capability, self._asking_about(capability))

        async def health(_: Request) -> Response:
            return JSONResponse(self.health())

        self._server.custom_route("/health", methods=["GET"])(health)

    def _asking_about(self, capability: str) -> Callable[..., Awaitable[Answer]]:
        async def ask(query: Query, request: Asking, context: Context = [], limit: Limit = 3) -> Answer:  # noqa: B006 - never changed; a schema's default
            return await self._answer(request, query, context, limit, capability)

        return ask

    async def _answer(
        self, request: Asking, query: str, context: list[str], limit: int, capability: str = ""
    ) -> Answer:
        """What `ask` finds, in the words of a model where the platform lets the agent ask one."""
        found = await asyncio.to_thread(self.ask, query, context, limit, capability=capability)
        granted = Granted.of(cast("Mapping[str, Any] | None", request.request_context.meta))
        if not found.answered or granted is None or self._model is None:
            return found
        telling = _Telling(request)
        await telling.tell(Part(passages=tuple(citation.model_dump() for citation in found.citations)))
        try:
            wording = await self._model.word(granted, query, [one.text for one in found.citations], telling.words)
        except ModelUnusableError as failure:
            _log.warning("the model was of no use: %s", failure)
            await telling.tell(Part(withdrawn=True))
            return found.model_copy(update={"answer": f"{found.answer}\n\n{_WITHOUT_MODEL}"})
        if not wording.cited:
            await telling.tell(Part(withdrawn=True))
            return self._declined(found.confidence)
        cited = [found.citations[at] for at in wording.cited]
        return found.model_copy(update={"answer": wording.text, "citations": cited, "worded": True})

    def _declined(self, confidence: float) -> Answer:
        return Answer(answered=False, answer=self._unknown(), citations=[], confidence=confidence, topics=self._topics)

    def _add(self, name: str, description: str, function: Callable[..., Awaitable[Answer]]) -> None:
        self._server.add_tool(function, name=name, description=description, annotations=_READS_ONLY)

    def _unknown(self) -> str:
        return "I do not know: my documents do not answer this. They are about: " + "; ".join(self._topics) + "."

    def _citation(self, passage: Passage) -> Citation:
        return Citation(
            file=passage.file,
            lines=f"{passage.start_line}-{passage.end_line}",
            start_line=passage.start_line,
            end_line=passage.end_line,
            commit=self.commit,
            text=passage.text,
            headings=list(passage.headings),
            pointer=passage.pointer or None,
        )
