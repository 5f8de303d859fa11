"""What is written about the platform beside its code is generated from it."""

from tools import generate_audit, generate_openapi, generate_permissions


def test_the_committed_list_of_permissions_is_what_the_routes_ask_for():
    assert generate_permissions.REFERENCE.read_text() == generate_permissions.reference()


def test_the_committed_list_of_audit_events_is_the_catalogue():
    assert generate_audit.REFERENCE.read_text() == generate_audit.reference()


def test_the_committed_description_of_the_api_is_the_applications_own():
    assert generate_openapi.DESCRIPTION.read_text() == generate_openapi.description()
