"""The servers that an organisation's queries may reach, and how they are spoken to."""

from promptcraft.registry.clients import McpUpstream, SocketUpstream
from promptcraft.registry.errors import ServerNotFound, UpstreamFailed, UpstreamTimedOut, UpstreamUnavailable
from promptcraft.registry.schemas import (
    Evaluation,
    Kind,
    Server,
    ServerName,
    ServerRegistered,
    ServerRegistration,
    ServerStatus,
    ToolContract,
    ToolResult,
)
from promptcraft.registry.service import (
    exists,
    register_server,
    revision,
    servers,
    set_status,
    tool_contracts,
    unregister_server,
)

__all__ = [
    "Evaluation",
    "Kind",
    "McpUpstream",
    "Server",
    "ServerName",
    "ServerNotFound",
    "ServerRegistered",
    "ServerRegistration",
    "ServerStatus",
    "SocketUpstream",
    "ToolContract",
    "ToolResult",
    "UpstreamFailed",
    "UpstreamTimedOut",
    "UpstreamUnavailable",
    "exists",
    "register_server",
    "revision",
    "servers",
    "set_status",
    "tool_contracts",
    "unregister_server",
]
