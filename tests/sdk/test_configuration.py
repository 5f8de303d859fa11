"""Capabilities name tools; where they cannot, each one at fault is named."""

import pytest

from promptcraft_sdk.configuration import AgentConfig, UnusableCapabilitiesError, dump_config, tool_name, tool_names


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("Compute VAT (EU)", "compute_vat_eu"),
        ("  Find — the   deadline! ", "find_the_deadline"),
        ("Prüfe Übergänge", "prufe_ubergange"),
        ("../../etc/passwd; rm -rf", "etc_passwd_rm_rf"),
        ("{{ 7*7 }} ${HOME}", "7_7_home"),
        ("word " * 2_000, "_".join(["word"] * 12)),
        ("x" * 10_000, "x" * 60),
        ("\u202e🎂", ""),
    ],
)
def test_a_tool_is_named_by_the_ascii_slug_of_its_capability(capability, name):
    assert tool_name(capability) == name


def test_empty_equal_and_taken_names_are_refused_with_every_position():
    with pytest.raises(UnusableCapabilitiesError) as refused:
        tool_names(["Compute VAT", "🎂", "Find it", "compute  vat!", "Ask"])

    assert sorted(refused.value.problems) == [0, 1, 3, 4]


def test_a_configuration_is_written_and_read_back_as_it_was():
    text = 'quote " newline \n {{ x }} ${y} `z` \u202e 🎂 \\'
    config = AgentConfig(name="agent_x", display_name=text, description=text, keywords=(text,), capabilities=("Do it",))

    assert AgentConfig.model_validate_json(dump_config(config)) == config
