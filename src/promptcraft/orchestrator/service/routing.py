"""Which agent a query is for: BM25 over what the registered agents say of themselves and of their knowledge.

Fields count differently (BM25F: Robertson, Zaragoza, Taylor 2004), keywords most, as somebody chose them by hand. The
sum B of the matched words' scores becomes a score between 0 and 1 by what speaks against it, B / (B + a*U + b), where U
is the weight of the query's words that the agent does not know.
"""

import asyncio
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft import registry
from promptcraft.kernel.actor import Actor
from promptcraft.registry import Server
from promptcraft_sdk.knowledge.words import GENERAL_STEMS, stem, stems_of, words_of

ASK = "ask"
ENOUGH = 0.3
# An agent whose score is this share of the best one's is as plausible, and is asked if the best one declines.
CLOSE = 0.75
MOST_ASKED = 3

_SATURATION = 1.2  # BM25's k1
_LENGTH_SHARE = 0.75  # BM25's b, for descriptions; the other fields are lists, whose length says nothing
_KEYWORDS, _DOMAIN, _NAME, _DESCRIPTION, _KNOWLEDGE = 3.0, 2.0, 2.0, 1.0, 0.5
# Knowledge terms come the most telling first; from here on they count less than half, and less and less.
_HALF_AT = 400
_GENERAL = 0.4
_AGAINST, _DOUBT = 0.08, 0.25
_MOST_AGAINST = 12.0
_MOST_ORGANISATIONS = 500
_AT_ONCE = 100
_EACH_END = 100


@dataclass(frozen=True, slots=True)
class Weighed:
    """A registered agent and how well it fits a query, 0 to 1."""

    server: Server
    score: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The stems of one agent: those of the fields whose length says nothing, weighted, and those of its description."""

    server: Server
    stated: Mapping[str, float]
    described: Mapping[str, int]
    length: int


class RoutingIndex:
    """The agents of one organisation, in all environments."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.profiles = tuple(profiles)
        self.servers = tuple(profile.server for profile in self.profiles)
        self._usual = sum(profile.length for profile in self.profiles) / max(1, len(self.profiles))
        self._agents = len({server.name for server in self.servers})

    def weigh(self, query: str) -> list[Weighed]:
        """Every agent in every environment, the best first; equal ones by name."""
        strengths = {word: [self._strength(one, word) for one in self.profiles] for word in _telling(query)}
        weights = {word: _importance(word) * self._rarity(held) for word, held in strengths.items()}
        found: list[Weighed] = []
        for number, server in enumerate(self.servers):
            matched = sum(weight * strengths[word][number] for word, weight in weights.items())
            against = sum(weight for word, weight in weights.items() if not strengths[word][number])
            score = matched / (matched + _AGAINST * min(against, _MOST_AGAINST) + _DOUBT)
            found.append(Weighed(server, score))
        return sorted(found, key=lambda one: (-one.score, one.server.name, one.server.environment))

    def _strength(self, profile: Profile, word: str) -> float:
        """BM25F's weighted frequency, saturated: 0 for a word that the agent does not have, below 1."""
        length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * profile.length / max(1.0, self._usual)
        frequency = profile.stated.get(word, 0.0) + _DESCRIPTION * profile.described.get(word, 0) / length
        return frequency / (_SATURATION + frequency)

    def _rarity(self, strengths: Sequence[float]) -> float:
        """1 for a word that no agent has, less the more of them do; never 0, as one agent may be all there is.

        An agent that has it deep in its knowledge counts less than one that is about it.
        """
        # One agent in three environments is one agent: words must not become common by that.
        of_agents: dict[str, float] = {}
        for server, strength in zip(self.servers, strengths, strict=True):
            of_agents[server.name] = max(strength, of_agents.get(server.name, 0.0))
        holders = sum(of_agents.values()) / (max(of_agents.values(), default=0.0) or 1.0)
        return (1 + math.log((self._agents + 1) / (holders + 1))) / (1 + math.log(self._agents + 1))


async def routing_index(servers: Iterable[Server], known: RoutingIndex | None = None) -> RoutingIndex:
    """The index of those that can be asked; what `known` already holds of them is taken from it.

    Stemming thousands of words takes a while, and other requests are let in between.
    """
    made = {_identity(profile.server): profile for profile in (known.profiles if known else ())}
    askable = [server for server in servers if any(tool.name == ASK for tool in server.tools)]
    return RoutingIndex([made.get(_identity(server)) or await _profile(server) for server in askable])


@dataclass(slots=True)
class RoutingIndexes:
    """The indexes of the organisations asked lately, each made again once its registry changed."""

    _made: OrderedDict[UUID, tuple[int, RoutingIndex]] = field(
        default_factory=OrderedDict[UUID, tuple[int, RoutingIndex]]
    )

    async def of(self, session: AsyncSession, actor: Actor) -> RoutingIndex:
        revision = await registry.revision(session, actor)
        before, index = self._made.get(actor.org_id, (-1, None))
        if index is None or before != revision:
            # Read after the revision: what changes in between is seen now, and once more at the next query.
            index = await routing_index(await registry.servers(session, actor, kind="agent"), index)
            self._made[actor.org_id] = revision, index
        self._made.move_to_end(actor.org_id)
        if len(self._made) > _MOST_ORGANISATIONS:
            self._made.popitem(last=False)
        return index


def _identity(server: Server) -> tuple[str, ...]:
    return server.name, server.environment, server.version, server.registered_at.isoformat(), server.status


async def _profile(server: Server) -> Profile:
    fields = (
        (_KEYWORDS, " ".join(server.keywords)),
        (_DOMAIN, server.domain),
        (_NAME, f"{server.name} {server.display_name}"),
    )
    stated: defaultdict[str, float] = defaultdict(float)
    for weight, text in fields:
        for one in set(stems_of(text)):
            stated[one] += weight
    for one, times in (await _known(server.knowledge_terms)).items():
        stated[one] += _KNOWLEDGE * (times if times < 1 else 1 + math.log(times))
    described = stems_of(server.description)
    return Profile(server, dict(stated), Counter(described), len(described))


async def _known(terms: Sequence[str]) -> dict[str, float]:
    """How often each stem stands in the knowledge's terms, those further down counting as less than once."""
    times: defaultdict[str, float] = defaultdict(float)
    for position, term in enumerate(terms):
        for one in stems_of(term):
            times[one] += 1 / (1 + position / _HALF_AT)
        if position % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return times


def _telling(query: str) -> list[str]:
    """The stems of a query, or of its function words where it has no others ("IT"); of a long one, both ends."""
    stems = list(dict.fromkeys(stems_of(query) or [stem(word) for word in words_of(query)]))
    return stems if len(stems) <= 2 * _EACH_END else [*stems[:_EACH_END], *stems[-_EACH_END:]]


def _importance(word: str) -> float:
    return _GENERAL if word in GENERAL_STEMS else 1.0
