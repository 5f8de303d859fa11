"""Text that others wrote, on a terminal."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pc_hybrid.text import clipped, safe, safe_json, safe_lines, size, table, width
from pc_hybrid.work.progress import aligned

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")
ANY = st.text(st.characters(codec=None))


@given(ANY)
def test_nothing_that_a_terminal_acts_upon_is_left(text):
    assert not CONTROLS.search(safe(text))
    assert not CONTROLS.search("".join(safe_lines(text)))


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=5))
def test_safe_json_means_the_same(value):
    document = safe_json(json.dumps(value, ensure_ascii=False, indent=2))

    assert json.loads(document) == value
    assert not CONTROLS.search(document.replace("\n", ""))


@pytest.mark.parametrize("text", ["Grüße, 世界", "👩‍👩‍👧", "فارسی", "naïve café", "a → b"])
def test_ordinary_text_of_any_language_stays_as_it_is(text):
    assert safe(text) == text


def test_columns_align_whatever_stands_in_them():
    lines = list(table(("NAME", "COUNT"), [["世界", "1"], ["cafe\u0301", "1,234"]], right=("COUNT",)))

    assert lines == ["NAME  COUNT", "世界      1", "cafe\u0301  1,234"]


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_clipped_text_fits(text, columns):
    assert width(clipped(safe(text), columns)) <= columns


def test_a_line_of_progress_ends_at_the_same_column_however_long_its_text():
    lines = [aligned("render        31 files", "", 0.2), aligned("x" * 200, "done", 12.0), aligned("ingest", "", None)]

    assert [len(line) for line in lines[:2]] == [79, 79]
    assert lines[0].endswith(" 0.2 s")
    assert lines[1].endswith("…  done   12.0 s")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (412_300, "412 kB"), (100 * 10**6, "100 MB")],
)
def test_sizes_read_well(count, shown):
    assert size(count) == shown
