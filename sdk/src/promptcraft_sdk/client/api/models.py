"""Models, their providers and what may be used of them."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from promptcraft_sdk.client.api.making import adapter_of, data_of, get, json_of, list_of, nothing, once, post
from promptcraft_sdk.client.schemas import (
    ModelList,
    ModelProvider,
    ModelTested,
)
from promptcraft_sdk.client.wire import Call, reader

_PROVIDERS = "/api/v4/admin/models/providers"


def models() -> Call[ModelList]:
    """The models that may be asked, in the form of the OpenAI API."""
    return Call("GET", "/api/v4/models/v1/models", reader(adapter_of(ModelList)))


def chat(request: Mapping[str, Any], *, time_limit: float = 310.0) -> Call[dict[str, Any]]:
    """One chat completion in the form of the OpenAI API, not streamed: for streams give its client the base URL."""
    read = reader(TypeAdapter(dict[str, Any]))
    return Call("POST", "/api/v4/models/v1/chat/completions", read, body=json_of(request), time_limit=time_limit)


def model_providers() -> Call[list[ModelProvider]]:
    """Those of the organisation in the order in which they are asked, then the platform's."""
    return list_of(_PROVIDERS, ModelProvider)


def model_provider(name: str) -> Call[ModelProvider]:
    return get(_PROVIDERS + "/{name}", ModelProvider, name=name)


def add_model_provider(provider: Mapping[str, Any]) -> Call[ModelProvider]:
    return once(post(_PROVIDERS, ModelProvider, provider))


def change_model_provider(name: str, changes: Mapping[str, Any]) -> Call[ModelProvider]:
    path = {"name": name}
    return Call("PATCH", _PROVIDERS + "/{name}", data_of(ModelProvider), path_values=path, body=json_of(changes))


def remove_model_provider(name: str) -> Call[None]:
    return Call("DELETE", _PROVIDERS + "/{name}", nothing, path_values={"name": name})


def rotate_model_key(name: str, api_key: str) -> Call[ModelProvider]:
    return post(_PROVIDERS + "/{name}/key", ModelProvider, {"api_key": api_key}, name=name)


def try_model_provider(name: str, *, model: str | None = None) -> Call[ModelTested]:
    """One small call of this provider; ApiError says what it did where it failed."""
    return post(_PROVIDERS + "/{name}/test", ModelTested, {"model": model}, time_limit=310.0, name=name)


def model_policy() -> Call[dict[str, Any]]:
    """What the organisation allows of models."""
    return get("/api/v4/admin/models/policy", dict[str, Any])


def set_model_policy(policy: Mapping[str, Any], *, if_match: str = "*") -> Call[dict[str, Any]]:
    """Replace what the organisation allows of models, whatever it is or as it was under an ETag.

    What is left out takes its default.
    """
    read = data_of(dict[str, Any])
    return Call("PUT", "/api/v4/admin/models/policy", read, body=json_of(policy), if_match=if_match)
