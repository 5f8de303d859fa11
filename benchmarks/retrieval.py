"""How well an agent finds and declines over a directory of documents: words alone beside words and meaning.

    .venv/bin/python benchmarks/retrieval.py DOCUMENTS QUESTIONS.yaml [DOCUMENTS QUESTIONS.yaml ...]

The question sets beside this file name the public documentation that they are about. Without arguments there is nothing
to measure, as documents of others are not kept here. Limits: at least 10 % more answers within the cited lines than by
words alone, 8 of 10 unanswerable declined, 4 of 40 wrongly, 20 ms more a question, 30 MB more of an agent's own.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from promptcraft_sdk.agent import Agent
from promptcraft_sdk.configuration import INDEX, AgentConfig
from promptcraft_sdk.dense import build_vectors, load_encoder
from promptcraft_sdk.knowledge import ingest, load_index
from promptcraft_sdk.questions import AskedQuestion, Figures, Verdict, judge, tally

QUESTIONS = TypeAdapter(list[AskedQuestion])
CONFIG = AgentConfig(name="benchmark_agent", display_name="Benchmark")


def own_memory() -> float:
    """Megabytes that no other process shares, as the kernel counts them."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Anonymous"].split()[0]) / 1024


def ask(agent: Agent, questions: list[AskedQuestion]) -> tuple[list[Verdict], list[float]]:
    verdicts: list[Verdict] = []
    seconds: list[float] = []
    for asked in questions:
        started = time.process_time()
        answer = agent.ask(asked.question)
        seconds.append(time.process_time() - started)
        verdicts.append(judge(asked, answer.answered, answer.confidence, answer.citations))
    return verdicts, seconds


def show(name: str, figures: Figures, seconds: list[float], megabytes: float) -> None:
    print(
        f"  {name:<8}{figures.right_file:>4} right file"
        f"{figures.within_lines:>5} within lines  of {figures.answerable:<5}"
        f"{figures.declined:>3} declined of {figures.unanswerable:<4}{figures.wrongly_declined:>3} wrongly"
        f"{1000 * statistics.median(seconds):>9.1f} ms CPU{megabytes:>8.1f} MB own"
    )


def run(documents: Path, questions: list[AskedQuestion], scratch: Path, totals: dict[str, list[Verdict]]) -> None:
    taken = ingest(documents, scratch / INDEX)
    print(f"{documents}: {taken.documents} documents, {taken.passages} passages")
    agent = Agent(CONFIG, load_index(scratch / INDEX), root=scratch)
    for name in ("bm25", "fused"):
        if name == "fused":
            started = time.process_time()
            count = build_vectors(scratch / INDEX, load_encoder())
            print(f"  {count} vectors in {time.process_time() - started:.1f} s CPU")
            before = own_memory()
            agent.refresh()
        else:
            before = own_memory()
        ask(agent, questions[:3])
        verdicts, seconds = ask(agent, questions)
        show(name, tally(verdicts), seconds, own_memory() - before)
        totals.setdefault(name, []).extend(verdicts)
        for verdict in verdicts if "-v" in sys.argv else ():
            good = verdict.within_lines if verdict.answerable else not verdict.answered
            print(f"    {'+' if good else '-'} {verdict.confidence:.2f} {verdict.question}  {' '.join(verdict.cited)}")


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "-v"]
    if not arguments or len(arguments) % 2:
        print(f"{Path(__file__).name}: name documents and questions to measure retrieval by")
        return 0 if not arguments else 2
    totals: dict[str, list[Verdict]] = {}
    for documents, file in zip(arguments[::2], arguments[1::2], strict=True):
        questions = QUESTIONS.validate_python(yaml.safe_load(Path(file).read_text(encoding="utf-8")))
        with tempfile.TemporaryDirectory() as scratch:
            run(Path(documents), questions, Path(scratch), totals)
    words, both = (tally(totals[name]) for name in ("bm25", "fused"))
    more = both.within_lines / max(1, words.within_lines) - 1
    print(f"All: within the cited lines {words.within_lines} -> {both.within_lines} of {both.answerable} ({more:+.0%})")
    print(f"     declined {both.declined} of {both.unanswerable}, wrongly {both.wrongly_declined} of {both.answerable}")
    met = more >= 0.10 and both.declined >= 0.8 * both.unanswerable and both.wrongly_declined <= 0.1 * both.answerable
    print(f"     limits {'met' if met else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
