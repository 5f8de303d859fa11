"""What the record says, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from promptcraft.analytics import service
from promptcraft.analytics.schemas import Insights, InsightsMetadata, InsightsRequest, Prices, Realtime
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Envelope, Session, requires
from promptcraft.kernel.permissions import Permission

router = APIRouter(prefix="/api/v4/analytics", tags=["analytics"])

Reader = Annotated[Actor, requires(Permission.INSIGHTS_READ)]


class InsightsEnvelope(Envelope[Insights]):
    """§5.2's answer, with how it was made."""

    metadata: InsightsMetadata


async def _prices(request: Request) -> Prices:
    return request.app.state.prices


@router.get("/insights")
async def insights(
    actor: Reader,
    asked: Annotated[InsightsRequest, Query()],
    session: Session,
    prices: Annotated[Prices, Depends(_prices)],
) -> InsightsEnvelope:
    """Usage, performance, costs and quality of your organisation's agents."""
    report = await service.insights(session, actor, asked, prices)
    return InsightsEnvelope(data=report.data, metadata=report.metadata)


@router.get("/realtime")
async def realtime(actor: Reader, session: Session) -> Envelope[Realtime]:
    """The last five minutes of your organisation."""
    return Envelope(data=await service.realtime(session, actor))
