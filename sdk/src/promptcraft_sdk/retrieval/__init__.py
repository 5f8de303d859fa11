"""Retrieval: passages that answer a question, and the judgement whether they do."""

from promptcraft_sdk.retrieval.answer import Answerer, Finding, topics
from promptcraft_sdk.retrieval.search import Dense

__all__ = ["Answerer", "Dense", "Finding", "topics"]
