"""How well an agent finds and declines over a directory of documents: words alone beside words and meaning.

    OPENBLAS_NUM_THREADS=1 .venv/bin/python benchmarks/retrieval.py [-v] [--keep DIRECTORY] \
        DOCUMENTS QUESTIONS.yaml [DOCUMENTS QUESTIONS.yaml ...]

One thread is what agents run with. `--keep` keeps the vectors, which take a minute or more for a thousand passages, and
takes them from there the next time; `-v` shows each question. README.md beside this file records every question set and
how it came out when it was first asked; each set names the public documentation that it is about. Without arguments
there is nothing to measure, as documents of others are not kept here. Limits: at least 10 % more answers within the
cited lines than by words alone, 8 of 10 unanswerable declined, 4 of 40 wrongly, 20 ms more a question, 30 MB more of an
agent's own.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from promptcraft_sdk.agent import Agent
from promptcraft_sdk.configuration import INDEX, VECTORS, AgentConfig
from promptcraft_sdk.dense import DenseUnavailableError, build_vectors, load_encoder, load_vectors
from promptcraft_sdk.knowledge import ingest, load_index
from promptcraft_sdk.questions import AskedQuestion, Figures, Verdict, judge, tally

QUESTIONS = TypeAdapter(list[AskedQuestion])
CONFIG = AgentConfig(name="benchmark_agent", display_name="Benchmark")


class Options(argparse.Namespace):
    v: bool
    keep: Path | None
    pairs: list[Path]


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


def give_vectors(index: Path, kept: Path | None) -> None:
    """Those that were kept, if they are of these passages, else new ones."""
    if kept and kept.is_dir():
        shutil.copytree(kept, index / VECTORS.name)
        try:
            load_vectors(index, len(load_index(index).passages))
        except DenseUnavailableError:
            shutil.rmtree(index / VECTORS.name)
        else:
            return
    started = time.process_time()
    count = build_vectors(index, load_encoder())
    print(f"  {count} vectors in {time.process_time() - started:.1f} s CPU")
    if kept:
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(index / VECTORS.name, kept)


def run(
    documents: Path, questions: list[AskedQuestion], scratch: Path, totals: dict[str, list[Verdict]], options: Options
) -> None:
    taken = ingest(documents, scratch / INDEX)
    print(f"{documents}: {taken.documents} documents, {taken.passages} passages")
    agent = Agent(CONFIG, load_index(scratch / INDEX), root=scratch)
    for name in ("bm25", "fused"):
        if name == "fused":
            give_vectors(scratch / INDEX, options.keep / documents.name if options.keep else None)
            before = own_memory()
            agent.refresh()
        else:
            before = own_memory()
        ask(agent, questions[:3])
        verdicts, seconds = ask(agent, questions)
        show(name, tally(verdicts), seconds, own_memory() - before)
        totals.setdefault(name, []).extend(verdicts)
        for verdict in verdicts if options.v else ():
            good = verdict.within_lines if verdict.answerable else not verdict.answered
            print(f"    {'+' if good else '-'} {verdict.confidence:.2f} {verdict.question}  {' '.join(verdict.cited)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("pairs", nargs="*", type=Path, metavar="DOCUMENTS QUESTIONS")
    options = parser.parse_args(namespace=Options())
    if not options.pairs:
        print(f"{Path(__file__).name}: name documents and questions to measure retrieval by")
        return 0
    if len(options.pairs) % 2:
        parser.error("each directory of documents needs its questions")
    totals: dict[str, list[Verdict]] = {}
    for documents, file in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        questions = QUESTIONS.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))
        with tempfile.TemporaryDirectory() as scratch:
            run(documents, questions, Path(scratch), totals, options)
    words, both = (tally(totals[name]) for name in ("bm25", "fused"))
    more = both.within_lines / max(1, words.within_lines) - 1
    print(f"All: within the cited lines {words.within_lines} -> {both.within_lines} of {both.answerable} ({more:+.0%})")
    print(f"     declined {both.declined} of {both.unanswerable}, wrongly {both.wrongly_declined} of {both.answerable}")
    met = more >= 0.10 and both.declined >= 0.8 * both.unanswerable and both.wrongly_declined <= 0.1 * both.answerable
    print(f"     limits {'met' if met else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
