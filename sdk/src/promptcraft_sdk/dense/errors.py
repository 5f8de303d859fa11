"""Why an agent finds by words alone."""


class DenseUnavailableError(Exception):
    """The model or the vectors of the passages cannot be used; the text says why, and retrieval goes on by BM25."""
