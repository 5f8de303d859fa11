"""Every permission, and who holds which (specification §6.3; design §4)."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    PROFILE_READ = "profile:read"
    SESSION_END = "session:end"
    SECOND_FACTOR_MANAGE = "second_factor:manage"
    API_KEY_MANAGE = "api_key:manage"
    USER_MANAGE = "user:manage"
    ORGANISATION_MANAGE = "organisation:manage"
    AGENT_READ = "agent:read"
    AGENT_LOGS = "agent:logs"
    AGENT_CREATE = "agent:create"
    AGENT_DEPLOY = "agent:deploy"
    AGENT_DELETE = "agent:delete"
    AGENT_EVALUATE = "agent:evaluate"
    AGENT_UPDATE = "agent:update"
    KNOWLEDGE_UPLOAD = "knowledge:upload"
    EXECUTION_RUN = "execution:run"
    EXECUTION_READ = "execution:read"
    EXECUTION_READ_ALL = "execution:read_all"
    EXECUTION_CANCEL_ALL = "execution:cancel_all"
    FEEDBACK_GIVE = "feedback:give"
    MODEL_CALL = "model:call"
    MODEL_READ = "model:read"
    MODEL_MANAGE = "model:manage"
    INSIGHTS_READ = "insights:read"
    AUDIT_READ = "audit:read"
    PLATFORM_AUDIT_READ = "platform:audit_read"


class Role(StrEnum):
    PLATFORM_ADMIN = "platform_admin"
    ADMIN = "admin"
    DEVELOPER = "developer"
    ANALYST = "analyst"
    VIEWER = "viewer"


# The specification's words are bundles of fine permissions. Those of contexts that do not exist yet hold nothing.
BUNDLES: dict[str, frozenset[Permission]] = {
    "read": frozenset(
        {
            Permission.PROFILE_READ,
            Permission.SESSION_END,
            Permission.SECOND_FACTOR_MANAGE,
            Permission.API_KEY_MANAGE,
            Permission.AGENT_READ,
            Permission.EXECUTION_READ,
            Permission.MODEL_READ,
        }
    ),
    "write": frozenset({Permission.FEEDBACK_GIVE, Permission.KNOWLEDGE_UPLOAD}),
    "execute": frozenset({Permission.EXECUTION_RUN, Permission.FEEDBACK_GIVE, Permission.MODEL_CALL}),
    "admin": frozenset(
        {
            Permission.EXECUTION_READ_ALL,
            Permission.EXECUTION_CANCEL_ALL,
            Permission.AUDIT_READ,
            Permission.MODEL_MANAGE,
        }
    ),
    "create_agents": frozenset(
        {
            Permission.AGENT_CREATE,
            Permission.AGENT_DEPLOY,
            Permission.AGENT_EVALUATE,
            Permission.AGENT_UPDATE,
            Permission.AGENT_LOGS,
            Permission.KNOWLEDGE_UPLOAD,
        }
    ),
    "manage_users": frozenset({Permission.USER_MANAGE}),
    "agent_management": frozenset(
        {
            Permission.AGENT_CREATE,
            Permission.AGENT_DEPLOY,
            Permission.AGENT_DELETE,
            Permission.AGENT_EVALUATE,
            Permission.AGENT_UPDATE,
            Permission.AGENT_LOGS,
        }
    ),
    "infrastructure": frozenset(),
    "analytics": frozenset({Permission.INSIGHTS_READ, Permission.EXECUTION_READ_ALL}),
    "cost_management": frozenset(),
    "security_analysis": frozenset({Permission.AUDIT_READ}),
    "compliance_reports": frozenset({Permission.AUDIT_READ}),
    "platform": frozenset({Permission.PLATFORM_AUDIT_READ, Permission.ORGANISATION_MANAGE}),
}

# An organisation's admin also holds the last four, or §6.3's table would lock it out of its own insights.
ROLES: dict[str, tuple[str, ...]] = {
    Role.PLATFORM_ADMIN: ("read", "platform"),
    Role.ADMIN: (
        "read", "write", "execute", "admin", "create_agents", "manage_users",
        "analytics", "cost_management", "agent_management", "compliance_reports",
    ),
    Role.DEVELOPER: ("read", "write", "execute", "create_agents"),
    Role.ANALYST: ("read", "execute"),
    Role.VIEWER: ("read",),
}  # fmt: skip

GROUPS: dict[str, tuple[str, ...]] = {
    "security-team": ("security_analysis", "compliance_reports"),
    "data-team": ("analytics", "cost_management"),
    "engineering": ("agent_management", "infrastructure"),
}


# What a session may that owes its second factor: nothing but to give it.
BEFORE_SECOND_FACTOR = frozenset({Permission.PROFILE_READ, Permission.SESSION_END, Permission.SECOND_FACTOR_MANAGE})


def permissions_of(roles: Iterable[str], groups: Iterable[str] = ()) -> frozenset[Permission]:
    """All permissions of these roles and groups; names nobody knows give none."""
    bundles = [bundle for role in roles for bundle in ROLES.get(role, ())]
    bundles += [bundle for group in groups for bundle in GROUPS.get(group, ())]
    return frozenset(permission for bundle in bundles for permission in BUNDLES[bundle])
