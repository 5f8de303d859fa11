"""The client has a call for every route of the platform, and none for a route that it does not have."""

import inspect
import re
from uuid import UUID

from promptcraft_sdk.client import Call, api

ID = UUID(int=1)
CALLS = {
    "sign_in": api.sign_in("ada", "secret"),
    "renew": api.renew("session"),
    "sign_out": api.sign_out(),
    "me": api.me(),
    "revoke": api.revoke("credential"),
    "begin_second_factor": api.begin_second_factor(),
    "confirm_second_factor": api.confirm_second_factor("000000"),
    "remove_second_factor": api.remove_second_factor("000000"),
    "remove_second_factor_of_user": api.remove_second_factor_of_user(ID),
    "sessions": api.sessions(),
    "end_session": api.end_session(ID),
    "create_api_key": api.create_api_key("nightly", permissions=("agent:read",), expires_in_days=30),
    "api_keys": api.api_keys(),
    "rotate_api_key": api.rotate_api_key(ID, overlap_hours=1),
    "revoke_api_key": api.revoke_api_key(ID),
    "accept_invitation": api.accept_invitation("invitation", "password"),
    "roles": api.roles(),
    "users": api.users(),
    "user": api.user(ID),
    "invite_user": api.invite_user("ada", display_name="Ada", roles=("viewer",), groups=("engineering",)),
    "invite_user_again": api.invite_user_again(ID),
    "suspend_user": api.suspend_user(ID),
    "resume_user": api.resume_user(ID),
    "offboard_user": api.offboard_user(ID),
    "set_user_roles": api.set_user_roles(ID, ("viewer",)),
    "set_user_groups": api.set_user_groups(ID, ()),
    "groups": api.groups(),
    "set_group_roles": api.set_group_roles("engineering", ()),
    "remove_group": api.remove_group("engineering"),
    "organisations": api.organisations(),
    "found_organisation": api.found_organisation("acme", "Acme", "ada"),
    "suspend_organisation": api.suspend_organisation(ID),
    "resume_organisation": api.resume_organisation(ID),
    "offboard_organisation": api.offboard_organisation(ID, "acme"),
    "offboarding": api.offboarding(ID),
    "organisation_export": api.organisation_export(ID),
    "signing_keys": api.signing_keys(),
    "upload_knowledge": api.upload_knowledge(b"", compressed=True),
    "create_agent": api.create_agent({}),
    "creation": api.creation(ID),
    "creation_events": api.creation_events(ID),
    "cancel_creation": api.cancel_creation(ID),
    "agents": api.agents(),
    "agent": api.agent("tax_advisor"),
    "delete_agent": api.delete_agent("tax_advisor"),
    "agent_logs": api.agent_logs("tax_advisor"),
    "agent_repository": api.agent_repository("tax_advisor"),
    "push_agent": api.push_agent("tax_advisor", b""),
    "update_agent": api.update_agent("tax_advisor"),
    "revision": api.revision(ID),
    "deploy_agent": api.deploy_agent("tax_advisor"),
    "evaluate_agent": api.evaluate_agent("tax_advisor", []),
    "deployment": api.deployment(ID),
    "deployment_events": api.deployment_events(ID),
    "execute_stream": api.execute_stream("What?"),
    "execution_events": api.execution_events(ID),
    "cancel_execution": api.cancel_execution(ID),
    "execute": api.execute("What?"),
    "execution": api.execution(ID),
    "executions": api.executions(),
    "model_calls": api.model_calls(ID),
    "give_feedback": api.give_feedback(ID, 5),
    "models": api.models(),
    "chat": api.chat({}),
    "model_providers": api.model_providers(),
    "model_provider": api.model_provider("ours"),
    "add_model_provider": api.add_model_provider({}),
    "change_model_provider": api.change_model_provider("ours", {}),
    "remove_model_provider": api.remove_model_provider("ours"),
    "rotate_model_key": api.rotate_model_key("ours", "key"),
    "try_model_provider": api.try_model_provider("ours"),
    "model_policy": api.model_policy(),
    "set_model_policy": api.set_model_policy({}),
    "insights": api.insights(),
    "realtime": api.realtime(),
    "audit_events": api.audit_events(),
    "platform_audit_events": api.audit_events(platform=True),
    "health": api.health(),
    "live": api.live(),
    "ready": api.ready(),
    "metrics": api.metrics(),
}


def unnamed(template: str) -> str:
    """The template without the names of its parameters, which are nobody's contract."""
    return re.sub(r"{\w+}", "{}", template)


def test_calls_and_routes_are_the_same(platform):
    paths = platform.app.openapi()["paths"]
    routes = {f"{method.upper()} {unnamed(path)}" for path, methods in paths.items() for method in methods}

    assert {f"{call.method} {unnamed(call.template)}" for call in CALLS.values()} == routes


def test_every_function_of_the_api_is_tried_here():
    functions = {
        name
        for name, function in inspect.getmembers(api, inspect.isfunction)
        if function.__module__.startswith(api.__name__) and not name.startswith("_")
    }

    assert functions == set(CALLS) - {"platform_audit_events"}
    assert all(isinstance(call, Call) for call in CALLS.values())


def test_what_is_sent_is_what_the_platform_declares(platform):
    """Every query parameter and every field of a body that the client can send is one that the route knows."""
    paths = {unnamed(path): methods for path, methods in platform.app.openapi()["paths"].items()}
    full = [
        api.agents(status="running", domain="finance"),
        api.agent_logs("tax_advisor", lines=5),
        api.executions(limit=5),
        api.insights(time_range="7d", metrics=("usage",), granularity="day", agents=("a",), users=(str(ID),), tz="UTC"),
    ]

    for call in full:
        declared = {one["name"] for one in paths[unnamed(call.template)]["get"].get("parameters", [])}
        assert set(call.query) <= declared, call.template
