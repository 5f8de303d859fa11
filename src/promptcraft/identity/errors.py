"""Who is not let in, and what they are told: never more than an attacker may know."""

from promptcraft.kernel.errors import Conflict, TooMany, Unauthenticated


class LoginRefused(Unauthenticated):
    """One message for every reason; the reason is in the audit log, written by the service."""

    code = "login_refused"
    title = "Username or password is wrong"
    next_step = "Check both and try again, or ask an administrator of your organisation."
    recorded = True


class LoginThrottled(TooMany):
    code = "login_throttled"
    title = "Too many attempts to sign in"
    recorded = True


class SessionRefused(Unauthenticated):
    code = "session_refused"
    title = "The session is not usable"
    next_step = "Sign in again with `pc-hybrid login`."
    recorded = True


class TokenInvalid(Unauthenticated):
    code = "token_invalid"
    title = "The access token is not valid here"
    next_step = "Sign in with `pc-hybrid login`."


class TokenExpired(Unauthenticated):
    code = "token_expired"
    title = "The access token has expired"
    next_step = "Take a new one for your session by `POST /auth/token`, or sign in again."


class SessionOver(Unauthenticated):
    code = "session_over"
    title = "The session has ended"
    next_step = "Sign in again with `pc-hybrid login`."


class NameTaken(Conflict):
    code = "name_taken"
    title = "The name is taken"
    next_step = "Choose another name."
