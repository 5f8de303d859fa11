"""Which facts a report is about. Every condition starts with the organisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, ColumnElement, DateTime, Integer, false, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from promptcraft.analytics.schemas import RANGES, InsightsRequest
from promptcraft.analytics.service.buckets import bucket_starts
from promptcraft.analytics.tables import AgentEvaluationRow, ExecutionFactRow, ModelCallFactRow, RuntimeUsageRow

_TIMES = ARRAY(DateTime(timezone=True))
Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Selection:
    """One organisation's facts of [start, end), of some agents and users (None: all), and the buckets they go into."""

    org_id: UUID
    start: datetime
    end: datetime
    agents: Sequence[str] | None
    users: Sequence[UUID] | None
    starts: Sequence[datetime]

    @classmethod
    def of(cls, org_id: UUID, request: InsightsRequest, now: datetime) -> "Selection":
        """What the request describes. The range ends now and is equally long whatever the buckets are."""
        start = now - RANGES[request.time_range]
        starts = bucket_starts(start, now, request.granularity, ZoneInfo(request.tz))
        return cls(org_id, start, now, request.agent_filter, request.user_filter, starts)

    @property
    def knows_infrastructure(self) -> bool:
        """A process serves everybody: what it uses is no single user's."""
        return self.users is None

    def executions(self) -> Conditions:
        """Conditions on execution facts."""
        row = ExecutionFactRow
        conditions = [row.org_id == self.org_id, row.created_at >= self.start, row.created_at < self.end]
        if self.agents is not None:
            conditions.append(row.agent.in_(self.agents))
        if self.users is not None:
            conditions.append(row.user_id.in_(self.users))
        return conditions

    def direct_calls(self) -> Conditions:
        """Conditions on model calls outside executions, whose costs are in no execution's."""
        row = ModelCallFactRow
        conditions = [row.org_id == self.org_id, row.created_at >= self.start, row.created_at < self.end]
        conditions.append(row.execution_id.is_(None))
        if self.agents is not None:
            conditions.append(row.agent.in_(self.agents))
        if self.users is not None:
            conditions.append(row.user_id.in_(self.users))
        return conditions

    def usage(self) -> Conditions:
        """Conditions on what the agents' processes used."""
        row = RuntimeUsageRow
        conditions = [row.org_id == self.org_id, row.ended_at >= self.start, row.ended_at < self.end]
        if self.agents is not None:
            conditions.append(row.agent.in_(self.agents))
        return conditions if self.knows_infrastructure else [*conditions, false()]

    def evaluations(self) -> Conditions:
        """Conditions on evaluations: of the agents selected; under a user filter, of those that these users asked."""
        row = AgentEvaluationRow
        conditions = [row.org_id == self.org_id]
        if self.agents is not None:
            conditions.append(row.agent.in_(self.agents))
        if self.users is not None:
            conditions.append(row.agent.in_(select(ExecutionFactRow.agent).where(*self.executions())))
        return conditions

    def bucket(self, moment: InstrumentedAttribute[datetime]) -> ColumnElement[int]:
        """The number of the bucket that holds the moment, from 1."""
        return func.width_bucket(moment, literal(list(self.starts), _TIMES), type_=Integer)
