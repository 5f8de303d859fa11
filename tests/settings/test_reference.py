"""What is written about the settings is generated from them."""

import re

from promptcraft.settings import load_settings, read_settings
from tools import generate_settings


def test_the_committed_example_and_reference_are_what_the_settings_say():
    assert generate_settings.EXAMPLE.read_text() == generate_settings.example()
    assert generate_settings.REFERENCE.read_text() == generate_settings.reference()


def test_the_example_as_it_stands_sets_nothing(tmp_path):
    file = tmp_path / "promptcraft.env"
    file.write_text(generate_settings.example())

    assert load_settings({}, file).given == frozenset()


def test_every_value_that_the_example_shows_is_accepted():
    shown = re.findall(r"^#([A-Z0-9_]+)=(.+)$", generate_settings.example(), re.MULTILINE)

    for name, value in shown:
        _, problems = read_settings({name: value}, None)
        assert [problem for problem in problems if problem.given] == []
