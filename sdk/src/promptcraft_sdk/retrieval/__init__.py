"""Retrieval: passages that answer a question, and the judgement whether they do."""

from promptcraft_sdk.retrieval.answer import Answerer, Finding, topics
from promptcraft_sdk.retrieval.evidence import Hit, Question, Searcher

__all__ = ["Answerer", "Finding", "Hit", "Question", "Searcher", "topics"]
