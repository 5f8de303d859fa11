"""Who is not let in, and what they are told: never more than an attacker may know."""

from promptcraft.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated


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


class ApiKeyRefused(Unauthenticated):
    code = "api_key_refused"
    title = "The API key is not usable"
    next_step = "Make a new one with `pc-hybrid api-key create`, or ask whoever gave it to you."


class NoSuchApiKey(NotFound):
    title = "There is no such API key"
    next_step = "`pc-hybrid api-key list` shows those that still open something."


class NoSuchSession(NotFound):
    title = "There is no such session"
    next_step = "`GET /api/v4/sessions` shows yours."


class PermissionsNotHeld(Invalid):
    code = "permissions_not_held"
    title = "A key cannot do more than whoever makes it"
    next_step = "Leave out the named permissions; `pc-hybrid whoami` shows yours."


class NoSuchUser(NotFound):
    title = "There is no such user"
    next_step = "`pc-hybrid user list` shows those of your organisation."


class NoSuchGroup(NotFound):
    title = "There is no such group"
    next_step = "`pc-hybrid group list` shows those of your organisation."


class NoSuchOrganisation(NotFound):
    title = "There is no such organisation"
    next_step = "`pc-hybrid org list` shows them."


class MayMoreThanYou(Forbidden):
    code = "may_more_than_you"
    title = "That is beyond what you may do yourself"
    next_step = "Ask somebody who holds these permissions."


class LastAdministrator(Conflict):
    code = "last_administrator"
    title = "Nobody would be left to administer the organisation"
    next_step = "Give another active user the role admin first."


class NotYourself(Conflict):
    code = "not_yourself"
    title = "You cannot do this to yourself"
    next_step = "Ask another administrator."


class InvitationRefused(Unauthenticated):
    code = "invitation_refused"
    title = "The invitation is not usable"
    next_step = "Ask an administrator of your organisation for a new one."
    recorded = True


class SecondFactorRequired(Unauthenticated):
    code = "second_factor_required"
    title = "A code of your second factor is needed"
    next_step = "Send it as `code`, from your authenticator or one of your recovery codes."
    recorded = True


class SecondFactorRefused(Unauthenticated):
    code = "second_factor_refused"
    title = "The code is not the one of this moment"
    next_step = "Wait for the next code and see that the clock of your device is right, or use a recovery code."
    recorded = True


class SecondFactorThere(Conflict):
    code = "second_factor_there"
    title = "You have a second factor already"
    next_step = "Remove it first, with a code of it."


class NoSecondFactor(NotFound):
    title = "There is no second factor"
    next_step = "Set one up with `pc-hybrid second-factor enrol`."


class WrongCode(Invalid):
    code = "wrong_code"
    title = "The code is not the one of this moment"
    next_step = "Wait for the next code and see that the clock of your device is right."


class OrganisationClosed(Conflict):
    code = "organisation_closed"
    title = "The organisation is closed for good"
    next_step = "Fetch what it was with `pc-hybrid org export`, or make a new one with `pc-hybrid org create`."


class OffboardingUnderWay(Conflict):
    code = "offboarding_under_way"
    title = "The organisation is being offboarded"
    next_step = "See how far it is with `pc-hybrid org offboarding`."


class NotByKey(Forbidden):
    code = "not_by_key"
    title = "This is for people who are signed in"
    next_step = "Sign in with `pc-hybrid login` and do it there."
