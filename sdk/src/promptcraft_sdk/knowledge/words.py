"""Text as stems: what the index holds and what a question is reduced to."""

import re
from functools import lru_cache

from promptcraft_sdk.knowledge.untyped import english_stem

LONGEST_WORD = 40

_WORD = re.compile(r"[^\W_]+")
# from the first letter of a run, and without giving any back: a long run is read once, not once from each letter
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:-[^\W\d_]++)+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
# scripts written without spaces are found by pairs of characters; hiragana, which joins them, by none
_UNSPACED = re.compile(r"[\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
_JOINING = re.compile(r"[\u3040-\u309f]+")
_ADDRESS = re.compile(r"\]\([^()\s]*\)|https?://\S+|<[^<>]*>")
# spelt one way on both sides, also where neither is English: what matters is that they meet
_BRITISH_OR = re.compile(r"(?<=\w\w)our(s|ed|ing|al|ally)?$")
_BRITISH_IZE = re.compile(r"(?<=\w\w)is(e|ed|es|er|ers|ing|ation|ations)$")

# Words that say how something is asked or joined, never what about: no evidence for anything.
FUNCTION_WORDS = frozenset(
    """a about above across after again against ain all almost along already also although always am among an and
    any anybody anyone anything are aren around as ask at away back be became because been before behind being
    below between both but by can cannot could couldn d did didn do does doesn doing don done down during each
    either else ever every everybody everyone everything explain few for from further had hadn has hasn have
    haven having he hello help her here hers herself hey hi him himself his how however i if in instead into is
    isn it its itself just know let like ll m may me might mine more most much must my myself need needn neither
    no nobody none nor not nothing now o of off often ok okay on once one only onto or other others otherwise
    our ours ourselves out over own perhaps please possible possibly quite rather re really s same say shall
    shan she should shouldn show since so some somebody somehow someone something still such t tell than thank
    thanks that the their theirs them themselves then there these they thing things this those though through
    thus to together too toward under unless until up upon us use used uses using ve very via want was wasn we
    were weren what whatever when whenever where wherever whether which while who whoever whom whose why will
    with within without won would wouldn y yes yet you your yours yourself yourselves""".split()
)

# Words that fit almost any subject: evidence, but little.
GENERAL_WORDS = frozenset(
    """able access actual actually add allow apply available avoid bad based basic become begin behave best better
    big break bring build call case cause change check choose come common company complete correct create
    current custom deal decide default define depend describe detail difference different directly discover
    easily easy effect enable end enough ensure everything exactly example exist expect fail fast few figure
    find first fix follow full general get give given go good great guide handle happen hard have hold idea
    implement important include inside issue keep kind large last later learn least leave list little long look
    lot made main make manage many matter maximum mean meaning method minimum my necessary new next normal
    number obtain old open option order part pass people perform person place plan point possibility prefer
    prevent problem project proper properly provide purpose put question quick quickly read ready reason
    recommend recommended regular related remove require rid right rule run see select separate set setup
    several should simple single small somewhere special specific specify standard start step stop support
    supported sure system take thing time true try turn two type typical understand usual usually value various
    wait way well whole word work wrong year""".split()
)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of one lower-case word; `colour` and `color`, `organise` and `organize` have the same."""
    return english_stem(_BRITISH_IZE.sub(r"iz\1", _BRITISH_OR.sub(r"or\1", word)))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; `TestClient` and `keep-alive` count whole and in parts."""
    found = [match[0].replace("-", "").lower()[:LONGEST_WORD] for match in _COMPOUND.finditer(text)]
    for match in _WORD.finditer(text):
        word = match[0][:LONGEST_WORD]
        if _UNSPACED.search(word):
            found.extend(pair for run in _UNSPACED.findall(word) for pair in _pairs(run))
            word = _JOINING.sub("", _UNSPACED.sub("", word))
        found.append(word.lower())
        if not (word.islower() or word[1:].islower() or word.isdigit()):
            parts = [part.lower() for part in _CAMEL.findall(word)]
            found.extend(parts if len(parts) > 1 else ())
    return found


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def stems_of(text: str) -> list[str]:
    """The stems of a text's words, function words left out, in order and as often as they stand."""
    return [stem(word) for word in words_of(text) if word not in FUNCTION_WORDS]


def without_addresses(text: str) -> str:
    """The text without link targets and markup, which nobody asks by."""
    return _ADDRESS.sub(" ", text)


GENERAL_STEMS = frozenset(stem(word) for word in GENERAL_WORDS)
