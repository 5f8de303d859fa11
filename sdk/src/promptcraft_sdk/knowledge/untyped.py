"""What is used of libraries without types, with its types."""

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

# (text, position after the opening quote, strict) -> (string, position after the closing quote)
scan_json_string: Callable[[str, int, bool], tuple[str, int]] = import_module("json.decoder").scanstring

english_stem: Callable[[str], str] = import_module("snowballstemmer").stemmer("english").stemWord

BM25: Any = import_module("bm25s").BM25
# it sets itself to DEBUG and tells of every index
logging.getLogger("bm25s").setLevel(logging.WARNING)
