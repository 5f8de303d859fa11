"""Retrieval: passages that answer a question, and the judgement whether they do."""

from promptcraft_sdk.retrieval.answer import Answerer, Finding, topics

__all__ = ["Answerer", "Finding", "topics"]
