"""Which servers an organisation's queries may reach."""

from promptcraft.kernel.audit.event import Event

SERVER_REGISTERED = Event(
    id=6001, name="server.register", sentence="{actor} registered {resource} {version} in {environment}"
)
SERVER_UNREGISTERED = Event(
    id=6002, name="server.unregister", sentence="{actor} took {resource} out of the registry of {environment}"
)
SERVER_STATUS_CHANGED = Event(
    id=6003, name="server.change_status", sentence="{resource} in {environment} is {status} now, it was {before}"
)
