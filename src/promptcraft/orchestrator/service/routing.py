"""Which agent a query is for: BM25 over what the registered agents say of themselves and of their knowledge.

Fields count differently (BM25F: Robertson, Zaragoza, Taylor 2004), keywords most, as somebody chose them by hand. The
sum B of the matched words' scores becomes a score between 0 and 1 by what speaks against it, B / (B + a*U + b), where U
is the weight of the query's words that the agent does not know.
"""

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


@dataclass(frozen=True, slots=True)
class Weighed:
    """A registered agent and how well it fits a query, 0 to 1."""

    server: Server
    score: float


@dataclass(frozen=True, slots=True)
class _Profile:
    server: Server
    weights: Mapping[str, float]


class RoutingIndex:
    """The agents of one organisation, in all environments."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self.servers = tuple(server for server in servers if any(tool.name == ASK for tool in server.tools))
        described = [stems_of(server.description) for server in self.servers]
        usual = sum(map(len, described)) / max(1, len(described))
        self._profiles = [
            _Profile(server, _weights(server, stems, usual))
            for server, stems in zip(self.servers, described, strict=True)
        ]
        self._holders = _holders(self._profiles)
        self._agents = len({server.name for server in self.servers})

    def weigh(self, query: str) -> list[Weighed]:
        """Every agent in every environment, the best first; equal ones by name."""
        importance = {word: _importance(word) * self._rarity(word) for word in stems_of(query) or _words(query)}
        found = [Weighed(profile.server, _score(profile.weights, importance)) for profile in self._profiles]
        return sorted(found, key=lambda one: (-one.score, one.server.name, one.server.environment))

    def _rarity(self, word: str) -> float:
        """1 for a word that no agent knows, less the more of them do; never 0, as one agent may be all there is."""
        holders = self._holders.get(word, 0.0)
        return (1 + math.log((self._agents + 1) / (holders + 1))) / (1 + math.log(self._agents + 1))


@dataclass(slots=True)
class RoutingIndexes:
    """The indexes of the organisations asked lately, each made again once its registry changed."""

    _made: OrderedDict[UUID, tuple[int, RoutingIndex]] = field(
        default_factory=OrderedDict[UUID, tuple[int, RoutingIndex]]
    )

    async def of(self, session: AsyncSession, actor: Actor) -> RoutingIndex:
        revision = await registry.revision(session, actor)
        known = self._made.get(actor.org_id)
        if known is None or known[0] != revision:
            known = revision, RoutingIndex(await registry.servers(session, actor, kind="agent"))
            self._made[actor.org_id] = known
        self._made.move_to_end(actor.org_id)
        if len(self._made) > _MOST_ORGANISATIONS:
            self._made.popitem(last=False)
        return known[1]


def _weights(server: Server, described: Sequence[str], usual: float) -> dict[str, float]:
    """BM25F's weighted frequency of each stem, before saturation."""
    fields = (
        (_KEYWORDS, set(stems_of(" ".join(server.keywords)))),
        (_DOMAIN, set(stems_of(server.domain))),
        (_NAME, set(stems_of(f"{server.name} {server.display_name}"))),
    )
    weights: defaultdict[str, float] = defaultdict(float)
    for weight, stems in fields:
        for one in stems:
            weights[one] += weight
    for one, times in _known(server.knowledge_terms).items():
        weights[one] += _KNOWLEDGE * (times if times < 1 else 1 + math.log(times))
    length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * len(described) / max(1.0, usual)
    for one, times in Counter(described).items():
        weights[one] += _DESCRIPTION * times / length
    return dict(weights)


def _known(terms: Sequence[str]) -> dict[str, float]:
    """How often each stem stands in the knowledge's terms, those further down counting as less than once."""
    times: defaultdict[str, float] = defaultdict(float)
    for position, term in enumerate(terms):
        for one in stems_of(term):
            times[one] += 1 / (1 + position / _HALF_AT)
    return times


def _holders(profiles: Sequence[_Profile]) -> dict[str, float]:
    """How many agents hold each word; one that has it deep in its knowledge counts less than one that is about it."""
    strongest: dict[str, dict[str, float]] = {}
    for profile in profiles:
        for word, weight in profile.weights.items():
            # One agent in three environments is one agent: words must not become common by that.
            of_agents = strongest.setdefault(word, {})
            of_agents[profile.server.name] = max(of_agents.get(profile.server.name, 0.0), _saturated(weight))
    return {word: sum(held.values()) / max(held.values()) for word, held in strongest.items()}


def _saturated(frequency: float) -> float:
    return frequency / (_SATURATION + frequency)


def _score(weights: Mapping[str, float], importance: Mapping[str, float]) -> float:
    matched = against = 0.0
    for word, weight in importance.items():
        frequency = weights.get(word, 0.0)
        matched += weight * _saturated(frequency)
        against += 0.0 if frequency else weight
    return matched / (matched + _AGAINST * min(against, _MOST_AGAINST) + _DOUBT)


def _importance(word: str) -> float:
    return _GENERAL if word in GENERAL_STEMS else 1.0


def _words(query: str) -> list[str]:
    """The stems of a query that is made of function words alone, such as "US" or "IT"."""
    return [stem(word) for word in words_of(query)]
