"""Models, their providers and prices."""

from datetime import datetime

from promptcraft_sdk.client.schemas.base import Answer


class Model(Answer):
    """A model that may be asked; `owned_by` names the provider that is asked first."""

    id: str
    owned_by: str


class ModelList(Answer):
    data: list[Model]


class ModelProvider(Answer):
    """A provider of models; `platform` ones are the platform's own, whose address is not shown."""

    name: str
    kind: str
    base_url: str | None
    models: dict[str, str] = {}
    priority: int | None = None
    enabled: bool = True
    platform: bool = False
    key_changed_at: datetime | None = None


class ModelTested(Answer):
    """One small call that was answered."""

    provider: str
    model: str
    answer: str
    seconds: float
