"""Why a model is not asked, or did not answer."""

from typing import ClassVar

from promptcraft.kernel.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PlatformError,
    TimedOut,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)


class ProviderNotFound(NotFound):
    code = "provider_not_found"
    title = "Your organisation has no such provider"
    next_step = "List them with `pc-hybrid model providers`."


class ProviderNameTaken(Conflict):
    code = "provider_name_taken"
    title = "Your organisation has a provider of this name"
    next_step = "Choose another name, or change the provider that there is."


class GrantRefused(Unauthenticated):
    code = "grant_refused"
    title = "No execution under way lets this agent ask a model"
    next_step = "Send back the grant that came with the question, while the question is open."


class ModelNotFound(NotFound):
    code = "model_not_found"
    title = "No provider here has such a model"
    next_step = "List the models with `pc-hybrid model list`."


class ModelNotAllowed(Forbidden):
    code = "model_not_allowed"
    title = "Your organisation does not allow this model"
    next_step = "List the models with `pc-hybrid model list`, or ask an administrator to allow it."


class RequestTooLarge(TooLarge):
    code = "request_too_large"
    title = "The request is too large for a model"


class RequestUnusable(Invalid):
    code = "invalid_request"
    title = "The request is not one that a model can be asked"


class TooManyCalls(TooMany):
    code = "too_many_model_calls"
    title = "Your organisation has as many model calls under way as it may"


class TokensUsedUp(TooMany):
    code = "model_tokens_used_up"
    title = "Your organisation used as many tokens in the last minute as it may"


class _Recorded:
    """The call's outcome and its event are committed before this is raised."""

    recorded: ClassVar[bool] = True


class ModelRefused(_Recorded, BadRequest):
    code = "model_refused"
    title = "The provider refused the request"
    next_step = "Correct what the provider names, and send it again."


class ModelBusy(_Recorded, TooMany):
    code = "model_busy"
    title = "The provider of the model limits its requests"


class ModelFailed(_Recorded, PlatformError):
    status: ClassVar[int] = 502
    code = "model_failed"
    title = "The provider of the model failed"
    next_step = "Try again; `pc-hybrid model test NAME` shows whether the provider answers."


class ModelUnavailable(_Recorded, Unavailable):
    code = "model_unavailable"
    title = "The provider of the model cannot be reached"
    next_step = "Try again; `pc-hybrid model test NAME` shows whether the provider answers."


class ModelTimedOut(_Recorded, TimedOut):
    code = "model_timed_out"
    title = "The model did not answer before the time limit was reached"
    next_step = "Ask for less at once, or raise the time limit of your organisation's models."


class ChangedMeanwhile(PlatformError):
    status = 412
    code = "changed_meanwhile"
    title = "It was changed after you looked at it"
    next_step = "Look at it again, then change what it is now."


class IfMatchMissing(PlatformError):
    status = 428
    code = "if_match_missing"
    title = "Say which state you want to replace"
    next_step = "Send the ETag of what you looked at as If-Match, or `*` to replace whatever there is."
