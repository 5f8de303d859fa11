"""The models, as the OpenAI API has them: give a client this address as its base URL."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from promptcraft.gateway import service
from promptcraft.gateway.errors import RequestTooLarge
from promptcraft.gateway.routes.answers import ModelAnswer, ModelRoute
from promptcraft.gateway.schemas import ModelList
from promptcraft.gateway.service import MOST_BYTES, Caller, Gateway
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import authenticated, requires
from promptcraft.kernel.audit.catalogue.gateway import MODEL_CALLED
from promptcraft.kernel.permissions import Permission

_PREFIX = "/api/v4/models/v1"
CHAT = f"{_PREFIX}/chat/completions"
router = APIRouter(prefix=_PREFIX, tags=["models"], route_class=ModelRoute)

_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string", "minLength": 1, "maxLength": 200},
                        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                        "stream": {"type": ["boolean", "null"]},
                        "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1},
                        "tools": {"type": ["array", "null"], "items": {"type": "object"}},
                    },
                    "additionalProperties": True,
                },
                "example": {
                    "model": "gpt-4o-mini",
                    "messages": [{"role": "user", "content": "When is the VAT return due?"}],
                },
            }
        },
    }
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The model's answer as its provider gave it; server-sent events where `stream` is true",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
    }
}


async def own_gateway(request: Request) -> Gateway:
    return request.app.state.gateway


OwnGateway = Annotated[Gateway, Depends(own_gateway)]


async def caller_of(request: Request) -> Caller:
    """Which agent asks, and for which execution; nobody in particular for people and programs."""
    await authenticated(request)
    return getattr(request.state, "caller", Caller())


@router.post("/chat/completions", response_class=Response, responses=_ANSWER, openapi_extra=_REQUEST)
async def chat_completions(
    request: Request,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_CALL, MODEL_CALLED)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> Response:
    """Ask a model, in the form of the OpenAI API: what this platform does not read is passed on to the provider.

    Providers are asked in their order until one begins to answer; hanging up ends the provider's work. Errors have
    the form of the OpenAI API (`error`) inside the platform's own.
    """
    wanted = service.read_request(await _body(request))
    call = await service.begin_call(gateway, actor, caller, wanted)
    return ModelAnswer(gateway, call, request)


@router.get("/models")
async def list_models(gateway: OwnGateway, actor: Annotated[Actor, requires(Permission.MODEL_READ)]) -> ModelList:
    """The models that your organisation allows, in the form of the OpenAI API."""
    return ModelList(data=tuple(await service.models(gateway, actor)))


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise RequestTooLarge(f"The body may have {MOST_BYTES:,} bytes.")
    return bytes(content)
