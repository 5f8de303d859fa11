"""Speaking MCP to the servers that are registered."""

from promptcraft.registry.clients.upstream import McpUpstream, SocketUpstream

__all__ = ["McpUpstream", "SocketUpstream"]
