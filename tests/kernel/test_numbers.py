"""A number of a body is one that was sent as a number."""

from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from promptcraft.kernel.texts import Number

HOURS = TypeAdapter(Annotated[int, Field(ge=0, le=168), Number])


def test_a_number_is_taken_however_it_is_written():
    assert [HOURS.validate_json(text) for text in ("5", "5.0")] == [5, 5]


@pytest.mark.parametrize("text", ["true", "false", '"5"'])
def test_what_only_looks_like_a_number_is_refused(text):
    with pytest.raises(ValidationError, match="must be a number"):
        HOURS.validate_json(text)
