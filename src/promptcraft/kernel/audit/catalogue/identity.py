"""Who signs in, who may, and the keys that prove it."""

from promptcraft.kernel.audit.event import Event

SESSION_RENEWED = Event(
    id=2004,
    name="session.renew",
    sentence="{actor} took a new access token for session {resource}",
    type="authentication",
    category="security",
)
RECOVERY_CODE_USED = Event(
    id=2063,
    name="recovery_code.use",
    sentence="{actor} used a recovery code; {left} are left",
    type="authentication",
    category="security",
    severity="warning",
)
LOGIN_SUCCEEDED = Event(
    id=2001,
    name="login.succeed",
    sentence="{actor} signed in",
    type="authentication",
    category="security",
    besides=(SESSION_RENEWED.id, RECOVERY_CODE_USED.id),
)
LOGIN_FAILED = Event(
    id=2002,
    name="login.fail",
    sentence="signing in as {username} was refused: {reason}",
    type="authentication",
    category="security",
    severity="warning",
    status="failure",
    personal=frozenset({"username"}),
)
LOGIN_THROTTLED = Event(
    id=2003,
    name="login.throttle",
    sentence="signing in as {username} was not tried: too many attempts",
    type="authentication",
    category="security",
    severity="warning",
    status="failure",
    personal=frozenset({"username"}),
)
SESSION_REFUSED = Event(
    id=2005,
    name="session.refuse",
    sentence="a session credential was refused: {reason}",
    type="authentication",
    category="security",
    severity="warning",
    status="failure",
)
SESSION_ENDED = Event(
    id=2006,
    name="session.end",
    sentence="{actor} signed out of session {resource}",
    type="authentication",
    category="security",
)
SESSION_CREDENTIAL_REUSED = Event(
    id=2007,
    name="session.end_for_reuse",
    sentence="session {resource} of {actor} was ended: a credential of it came a second time",
    type="authentication",
    category="security",
    severity="critical",
    status="failure",
)
CREDENTIAL_REVOKED = Event(
    id=2008,
    name="credential.revoke",
    sentence="the {kind} {resource} of {actor} was revoked by whoever held it",
    type="authentication",
    category="security",
)
USER_ADDED = Event(
    id=2011,
    name="user.add",
    sentence="{actor} added the user {username}",
    category="security",
    personal=frozenset({"username"}),
)
ROLE_UNBOUND = Event(
    id=2015,
    name="role.unbind",
    sentence="{actor} took the role {role} from {resource}",
    type="authorization",
    category="security",
)
GROUP_MADE = Event(
    id=2017,
    name="group.make",
    sentence="{actor} made the group {resource}",
    type="authorization",
    category="security",
)
ROLE_BOUND = Event(
    id=2012,
    name="role.bind",
    sentence="{actor} gave the role {role} to {resource}",
    type="authorization",
    category="security",
    besides=(ROLE_UNBOUND.id, GROUP_MADE.id),
)
GROUP_LEFT = Event(
    id=2016,
    name="group.leave",
    sentence="{actor} took {resource} out of the group {group}",
    type="authorization",
    category="security",
)
GROUP_JOINED = Event(
    id=2013,
    name="group.join",
    sentence="{actor} put {resource} into the group {group}",
    type="authorization",
    category="security",
    besides=(GROUP_LEFT.id, GROUP_MADE.id),
)
USER_INVITED = Event(
    id=2040,
    name="user.invite",
    sentence="{actor} made a one-time invitation for {resource}",
    type="authentication",
    category="security",
    besides=(USER_ADDED.id, ROLE_BOUND.id, GROUP_JOINED.id, GROUP_MADE.id),
)
ORGANISATION_FOUNDED = Event(
    id=2010,
    name="organisation.found",
    sentence="{actor} founded the organisation {slug}",
    category="security",
    besides=(USER_ADDED.id, ROLE_BOUND.id, USER_INVITED.id),
)
GROUP_REMOVED = Event(
    id=2018,
    name="group.remove",
    sentence="{actor} removed the group {resource} with its {members} members",
    type="authorization",
    category="security",
)
PASSWORD_SET = Event(
    id=2014,
    name="password.set",
    sentence="{actor} set the password of {resource}",
    category="security",
)
SIGNING_KEY_MADE = Event(
    id=2020,
    name="signing_key.make",
    sentence="{actor} made the signing key {resource} ({state})",
    category="security",
)
SIGNING_KEYS_ROTATED = Event(
    id=2021,
    name="signing_key.rotate",
    sentence="{actor} has access tokens signed with {resource} from now on",
    category="security",
)
API_KEY_MADE = Event(
    id=2030,
    name="api_key.make",
    sentence="{actor} made the API key {name} ({resource}) for: {permissions}",
    type="authentication",
    category="security",
)
API_KEY_ROTATED = Event(
    id=2031,
    name="api_key.rotate",
    sentence="{actor} made the API key {name} ({resource}) in the place of {replaces}",
    type="authentication",
    category="security",
)
API_KEY_REVOKED = Event(
    id=2032,
    name="api_key.revoke",
    sentence="{actor} revoked the API key {name} ({resource})",
    type="authentication",
    category="security",
)
INVITATION_ACCEPTED = Event(
    id=2041,
    name="invitation.accept",
    sentence="{actor} accepted the invitation and set a password",
    type="authentication",
    category="security",
    besides=(PASSWORD_SET.id,),
)
INVITATION_REFUSED = Event(
    id=2042,
    name="invitation.refuse",
    sentence="an invitation was refused: {reason}",
    type="authentication",
    category="security",
    severity="warning",
)
USER_SUSPENDED = Event(
    id=2043,
    name="user.suspend",
    sentence="{actor} suspended {resource}",
    type="authorization",
    category="security",
)
USER_RESUMED = Event(
    id=2044,
    name="user.resume",
    sentence="{actor} let {resource} in again",
    type="authorization",
    category="security",
)
USER_OFFBOARDED = Event(
    id=2045,
    name="user.offboard",
    sentence="{actor} offboarded {resource}",
    type="authorization",
    category="security",
)
ORGANISATION_SUSPENDED = Event(
    id=2050,
    name="organisation.suspend",
    sentence="{actor} suspended the organisation {resource}",
    type="authorization",
    category="security",
)
ORGANISATION_RESUMED = Event(
    id=2051,
    name="organisation.resume",
    sentence="{actor} let the organisation {resource} in again",
    type="authorization",
    category="security",
)
ORGANISATION_CLOSED = Event(
    id=2052,
    name="organisation.close",
    sentence="{actor} closed the organisation {resource}: {users} users, {sessions} sessions, {api_keys} keys ended",
    type="authorization",
    category="security",
    severity="warning",
)
PASSWORD_RESET = Event(
    id=2046,
    name="password.reset",
    sentence="{account} reset the password of {resource} on the platform's host",
    type="authentication",
    category="security",
    severity="warning",
    personal=frozenset({"account"}),
)
SECOND_FACTOR_BEGUN = Event(
    id=2060,
    name="second_factor.begin",
    sentence="{actor} began to set up a second factor",
    type="authentication",
    category="security",
)
SECOND_FACTOR_CONFIRMED = Event(
    id=2061,
    name="second_factor.confirm",
    sentence="{actor} set up a second factor",
    type="authentication",
    category="security",
)
SECOND_FACTOR_REMOVED = Event(
    id=2062,
    name="second_factor.remove",
    sentence="{actor} removed the second factor of {resource}",
    type="authentication",
    category="security",
    severity="warning",
    besides=(RECOVERY_CODE_USED.id,),
)
