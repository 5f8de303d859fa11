"""kill -9 of every part, at chosen moments and at random: what was acknowledged is there, once, and nothing else is.

Workers that die in each step of a job are in tests/agents/test_interrupted_steps.py.
"""

import io
import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from promptcraft.gateway.service import CLOSE_ORPHANS as CALLS_SWEPT
from promptcraft.kernel.audit.catalogue.gateway import MODEL_CALL_ABANDONED
from promptcraft.orchestrator import ExecutionFinished
from promptcraft_sdk.client import api
from tests.app.processes import eventually
from tests.e2e.drill import ONCE, PATIENCE, QUESTION, Creation, Gate, Site, site
from tests.e2e.storm import CHAT, CHAT_PATH, rage, slow_provider, with_models

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def drill() -> Iterator[Site]:
    with slow_provider() as provider, site(**with_models(provider)) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(drill: Site) -> None:
    """Whatever the test before left, nothing of it is there."""
    drill.remove(*(agent.name for agent in drill.client.send(api.agents())))


def catch(drill: Site, creation: Creation, step: str, gate: Gate, *, amid: bool = False) -> None:
    """Wait until the creation is in this step: amid its work, or with all of it done and the outcome not yet kept."""

    def caught() -> bool:
        return gate.reached() or (amid and drill.steps(creation)[step] == "running")

    assert eventually(lambda: caught() or drill.over(creation), PATIENCE), step
    assert not drill.over(creation), drill.end_of(creation)


def there_is_exactly(drill: Site, *names: str) -> None:
    """These agents answer, each of them is there once, and there is nothing else."""
    for name in names:
        assert eventually(lambda name=name: drill.answers(name)), name
    assert {name: drill.events(name) for name in names} == dict.fromkeys(names, ONCE)
    tables = ("agents.agent", "agents.version", "registry.server", "registry.tool", "runtime.instance")
    assert drill.rows() == (dict.fromkeys(tables, len(names)) if names else {})
    assert eventually(lambda: drill.traces() == drill.expected_traces()), drill.traces() ^ drill.expected_traces()
    # To a plain user /proc shows nothing of what is in another user namespace; root sees every sandbox.
    if os.geteuid() == 0:
        assert len(drill.sandboxes()) == len(names)


@pytest.mark.parametrize(("one", "two"), [("verify", "start"), ("healthy", "register")])
def test_creations_complete_and_agents_come_back_after_the_supervisor_was_killed(
    drill: Site, one: str, two: str
) -> None:
    names = (f"up_before_{one}", f"up_{one}", f"up_{two}")
    assert drill.end_of(drill.create(names[0])) == {names[0]: "completed"}
    gates = [drill.gate(name, f"{step} completed") for name, step in zip(names[1:], (one, two), strict=True)]
    creations = [drill.create(name) for name in names[1:]]
    catch(drill, creations[1], two, gates[1])
    catch(drill, creations[0], one, gates[0], amid=True)
    for gate in gates:
        gate.forget()

    drill.up.process.kill()
    assert eventually(lambda: drill.family() == []), drill.family()
    drill.begin()

    assert drill.end_of(*creations) == dict.fromkeys(names[1:], "completed")
    there_is_exactly(drill, *names)
    drill.remove(*names)


@pytest.mark.parametrize(("one", "two"), [("verify", "start"), ("healthy", "contract")])
def test_creations_complete_and_agents_come_back_after_the_runtime_was_killed(drill: Site, one: str, two: str) -> None:
    names = (f"runtime_before_{one}", f"runtime_{one}", f"runtime_{two}")
    assert drill.end_of(drill.create(names[0])) == {names[0]: "completed"}
    moments = (f"{one} completed", f"{two} {'running' if two == 'contract' else 'completed'}")
    gates = [drill.gate(name, moment) for name, moment in zip(names[1:], moments, strict=True)]
    creations = [drill.create(name) for name in names[1:]]
    catch(drill, creations[1], two, gates[1])
    catch(drill, creations[0], one, gates[0], amid=True)

    drill.kill(drill.child("runtime"))
    for gate in gates:
        gate.open()

    assert drill.end_of(*creations) == dict.fromkeys(names[1:], "completed")
    there_is_exactly(drill, *names)
    drill.remove(*names)


def test_a_creation_from_unusable_knowledge_says_where_and_leaves_nothing(drill: Site) -> None:
    unusable = drill.client.send(api.upload_knowledge(archive("deep.json", "[" * 90 + "]" * 90), compressed=False))
    creation = drill.create("too_deep", unusable.source, "json")

    assert drill.end_of(creation)["too_deep"].startswith("failed at ingest: knowledge_not_usable: deep.json")
    there_is_exactly(drill)


def test_a_creation_on_a_full_disk_says_where_and_leaves_nothing(drill: Site) -> None:
    with full(drill.data / "workspaces"):
        creation = drill.create("no_room")
        ended = drill.end_of(creation)

    assert "No space left on device" in ended["no_room"]
    assert ended["no_room"].startswith(("failed at validate: ", "failed at render: "))
    there_is_exactly(drill)


def test_a_creation_without_a_place_to_work_in_says_where_and_leaves_nothing(drill: Site) -> None:
    workspaces = drill.data / "workspaces"
    aside = workspaces.rename(drill.data / "aside")
    workspaces.write_text("in the way")
    ended = drill.end_of(drill.create("no_place"))
    workspaces.unlink()
    aside.rename(workspaces)

    assert ended["no_place"].startswith("failed at validate: ")
    there_is_exactly(drill)


def test_facts_count_once_though_the_worker_is_killed_while_it_relays_them(drill: Site) -> None:
    assert drill.end_of(drill.create("counted")) == {"counted": "completed"}
    before = asked(drill)
    gate = drill.gate("outbox", ExecutionFinished.topic)
    for _ in range(3):
        drill.client.send(api.execute(QUESTION, agent="counted"))
    assert eventually(gate.reached, PATIENCE)

    drill.kill(drill.relay())
    gate.open()
    drill.client.send(api.execute(QUESTION, agent="counted"))

    undelivered = "select 1 from kernel.outbox where topic = %s and delivered_at is null"
    assert eventually(lambda: not drill.database.execute(undelivered, (ExecutionFinished.topic,)).fetchall(), PATIENCE)
    assert asked(drill) == before + 4
    drill.remove("counted")


def test_a_model_call_left_open_by_a_killed_api_process_is_closed_once(drill: Site) -> None:
    key = drill.client.send(api.create_api_key("calls")).key
    with httpx.Client(base_url=drill.up.where["url"], headers={"Authorization": f"Bearer {key}"}) as client:
        with client.stream("POST", CHAT_PATH, json=CHAT) as answer:
            lines = answer.iter_lines()  # held: it hangs up when it is forgotten
            assert any("content" in line for line in lines)
            (call,) = open_calls(drill)
            drill.kill(drill.child("serve"))

    assert open_calls(drill) == [call]
    closed_once(drill, call)


def test_a_model_call_left_open_by_a_killed_runtime_is_closed_once_and_its_execution_has_its_end(drill: Site) -> None:
    assert drill.end_of(drill.create("modelled")) == {"modelled": "completed"}
    assert eventually(lambda: drill.answers("modelled"), PATIENCE)
    drill.client.send(api.set_model_policy({"agent_models": {"modelled": "gpt-4o"}}))
    url, key = drill.up.where["url"], drill.client.send(api.create_api_key("runtime")).key
    body = {"query": QUESTION, "agent": "modelled"}
    headers = {"Authorization": f"Bearer {key}"}
    with ThreadPoolExecutor(1) as other:
        asking = other.submit(httpx.post, f"{url}/api/v4/execute", json=body, headers=headers, timeout=60)
        assert eventually(lambda: open_calls(drill) != [], PATIENCE), asking.result().text
        (call,) = open_calls(drill)
        drill.kill(drill.child("runtime"))
        refused = asking.result()
    drill.client.send(api.set_model_policy({}))

    assert refused.json()["code"] in ("agent_unavailable", "agent_failed"), refused.text
    assert eventually(lambda: drill.answers("modelled"), PATIENCE)
    closed_once(drill, call)
    drill.remove("modelled")


def test_whatever_is_killed_nothing_acknowledged_is_lost_doubled_or_left_behind(drill: Site) -> None:
    """The short form of `make kills`; KILLS_SEED=n kills in the same order again."""
    seed = int(os.environ.get("KILLS_SEED", "0")) or secrets.randbelow(10**6)

    assert rage(drill, 6, seed, makers=1) == [], f"KILLS_SEED={seed}"

    drill.remove(*(agent.name for agent in drill.client.send(api.agents())))


def open_calls(drill: Site) -> list[UUID]:
    rows = drill.database.execute("select id from gateway.model_call where status = 'running'").fetchall()
    return [row[0] for row in rows]


def closed_once(drill: Site, call: UUID) -> None:
    """Its time passes, the sweep comes twice, and it has one end, one event and one fact."""
    later = "update gateway.model_call set deadline = deadline - interval '1 hour' where id = %s"
    drill.database.execute(later, (call,))
    ended = "select status from gateway.model_call where id = %s"
    for _ in range(2):
        sweep(drill)
        assert eventually(lambda: drill.database.execute(ended, (call,)).fetchone() == ("abandoned",), PATIENCE)
    fact = "select count(*) from analytics.model_call_fact where call_id = %s"
    assert eventually(lambda: drill.database.execute(fact, (call,)).fetchone() == (1,), PATIENCE)
    event = (
        "select catalogue_id from audit.event where catalogue_id between 10001 and 10005"
        " and canonical::json #>> '{action,resource_id}' = %s"
    )
    assert drill.database.execute(event, (str(call),)).fetchall() == [(MODEL_CALL_ABANDONED.id,)]


def sweep(drill: Site) -> None:
    """Have the sweep of model calls run now, and wait until it has."""
    due = "update kernel.standing_job set run_after = now(), last_run_at = null where name = %s"
    drill.database.execute(due, (CALLS_SWEPT,))
    ran = "select 1 from kernel.standing_job where name = %s and last_run_at is not null"
    assert eventually(lambda: drill.database.execute(ran, (CALLS_SWEPT,)).fetchone() is not None, PATIENCE)


def asked(drill: Site) -> int:
    """How many questions the analytics know of, all of them taken in."""
    return drill.client.send(api.insights(time_range="7d")).data.summary.total_queries


def archive(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """This directory on a disk of its own with next to no room."""
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", str(directory)], capture_output=True, check=False
    )
    if mounting.returncode:
        pytest.skip("only root can mount a disk that is full")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)
