"""Organisations that leave, for whoever administers the platform."""

import base64
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from promptcraft.compliance import service
from promptcraft.compliance.schemas import Offboarding, OffboardingRequest
from promptcraft.compliance.service import Departures
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Db, Envelope, requires
from promptcraft.kernel.audit.catalogue.compliance import EXPORT_FETCHED, OFFBOARDING_REQUESTED
from promptcraft.kernel.permissions import Permission

router = APIRouter(prefix="/api/v4/admin/organizations", tags=["organizations"])


async def _departures(request: Request) -> Departures:
    return request.app.state.departures


@router.post("/{org_id}/offboard", status_code=202)
async def offboard(
    org_id: UUID,
    wanted: OffboardingRequest,
    response: Response,
    db: Db,
    actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE, OFFBOARDING_REQUESTED)],
) -> Envelope[Offboarding]:
    """Export everything of an organisation, then end its agents, sessions and keys and close it, for good.

    Nobody of it comes in from this answer on. Its record stays.
    """
    response.headers["Location"] = f"{router.prefix}/{org_id}/offboarding"
    return Envelope(status="accepted", data=await service.offboard(db, actor, org_id, wanted.slug))


@router.get("/{org_id}/offboarding")
async def offboarding(
    org_id: UUID, db: Db, actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE)]
) -> Envelope[Offboarding]:
    """How far the offboarding of an organisation is, and what its export is known by."""
    return Envelope(data=await service.offboarding(db, actor, org_id))


@router.get(
    "/{org_id}/offboarding/export",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "A zip archive with manifest.json"}},
)
async def organisation_export(
    org_id: UUID,
    departures: Annotated[Departures, Depends(_departures)],
    actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE, EXPORT_FETCHED)],
) -> Response:
    """Everything that an organisation had, from when it is written on; its SHA-256 is in `Repr-Digest` (RFC 9530)."""
    file, shown, export = await service.export_of(departures, actor, org_id)
    digest = base64.b64encode(bytes.fromhex(export.sha256)).decode()
    return FileResponse(
        file,
        media_type="application/zip",
        filename=f"{shown.slug}.zip",
        headers={"Repr-Digest": f"sha-256=:{digest}:", "Cache-Control": "no-store"},
    )
