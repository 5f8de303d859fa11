"""The audit record: what an event is, how its bytes are made, how it joins the transaction of its change.

The log itself (order, proofs, reading) is the audit context's.
"""

from promptcraft.kernel.audit.canonical import canonical_bytes
from promptcraft.kernel.audit.event import Event, Outcome, events
from promptcraft.kernel.audit.record import record, record_alone, record_outcome
from promptcraft.kernel.audit.sealer import Sealed, Sealer, install_sealer, sealer
from promptcraft.kernel.audit.tables import AuditEventRow

__all__ = [
    "AuditEventRow",
    "Event",
    "Outcome",
    "Sealed",
    "Sealer",
    "canonical_bytes",
    "events",
    "install_sealer",
    "record",
    "record_alone",
    "record_outcome",
    "sealer",
]
