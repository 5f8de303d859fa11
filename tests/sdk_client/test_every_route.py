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
    "signing_keys": api.signing_keys(),
    "upload_knowledge": api.upload_knowledge(b"", compressed=True),
    "create_agent": api.create_agent({}),
    "creation": api.creation(ID),
    "agents": api.agents(),
    "agent": api.agent("tax_advisor"),
    "delete_agent": api.delete_agent("tax_advisor"),
    "agent_logs": api.agent_logs("tax_advisor"),
    "agent_repository": api.agent_repository("tax_advisor"),
    "deploy_agent": api.deploy_agent("tax_advisor"),
    "evaluate_agent": api.evaluate_agent("tax_advisor", []),
    "deployment": api.deployment(ID),
    "execute": api.execute("What?"),
    "execution": api.execution(ID),
    "executions": api.executions(),
    "give_feedback": api.give_feedback(ID, 5),
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
        if function.__module__ == api.__name__ and not name.startswith("_")
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
