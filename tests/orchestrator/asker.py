"""A process that asks Zen one question, for tests that kill it: asker.py APP_URL SYSTEM_URL REDIS_URL ORG USER"""

import asyncio
import sys
from uuid import UUID

from promptcraft.audit import OrganisationSealer
from promptcraft.gateway import open_gateway
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.db import Database
from promptcraft.kernel.happenings import Followers
from promptcraft.kernel.wakeups import redis_client
from promptcraft.orchestrator import Asked, Zen, execute
from promptcraft.registry import SocketUpstream
from promptcraft.settings import GatewaySettings


async def main() -> None:
    app_url, system_url, redis_url, org_id, user_id = sys.argv[1:]
    install_sealer(OrganisationSealer(b"k" * 32))
    actor = Actor(UUID(org_id), UUID(user_id), None, frozenset(), "asker", "asker")
    db = Database.connect(app_url, system_url)
    gateway = open_gateway(db, GatewaySettings(), master_key=b"k" * 32)
    zen = Zen(SocketUpstream(), gateway, Followers(redis_client(redis_url)))
    await execute(db, zen, actor, Asked(query="When is the VAT return due?"))


if __name__ == "__main__":
    asyncio.run(main())
