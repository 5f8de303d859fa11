"""What a call cost: by the organisation's own prices, else by the list of the package `genai-prices`."""

import asyncio
from decimal import Decimal

from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from promptcraft.gateway.clients import Endpoint
from promptcraft.gateway.schemas import Policy, Price, Usage

_MILLION = Decimal(1_000_000)


async def cost_of(policy: Policy, asked: str, model: str, endpoint: Endpoint, usage: Usage | None) -> Decimal | None:
    """USD; None where the usage is not known or nobody has a price for the model.

    `asked` is the caller's name of the model and the one that the organisation's prices go by, `model` the provider's.
    """
    if usage is None:
        return None
    own = policy.prices.get(asked)
    if own is not None:
        return _by(own, usage)
    # The list is loaded from disk at its first use: no request waits for that.
    return await asyncio.to_thread(_listed, model, endpoint, usage)


def _by(price: Price, usage: Usage) -> Decimal:
    cached = price.input if price.cached is None else price.cached
    fresh = usage.input - usage.cached
    return (fresh * price.input + usage.cached * cached + usage.output * price.output) / _MILLION


def _listed(model: str, endpoint: Endpoint, usage: Usage) -> Decimal | None:
    tokens = ListedUsage(input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=usage.cached)
    try:
        if endpoint.kind == "azure":
            return calc_price(tokens, model, provider_id="azure").total_price
        return calc_price(tokens, model, provider_api_url=endpoint.base_url).total_price
    except LookupError:
        return None
