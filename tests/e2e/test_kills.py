"""kill -9 of every part at every moment of a creation: it ends in an agent that answers, or in nothing at all."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import pytest

from promptcraft.orchestrator import ExecutionFinished
from promptcraft_sdk.client import api
from tests.app.processes import eventually
from tests.e2e.drill import ONCE, PATIENCE, QUESTION, STEPS, Creation, Gate, Site, site

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def drill() -> Iterator[Site]:
    with site() as running:
        yield running


@pytest.fixture(autouse=True)
def empty(drill: Site) -> None:
    """Whatever the test before left, nothing of it is there."""
    drill.remove(*(agent.name for agent in drill.client.send(api.agents())))


def caught(drill: Site, creation: Creation, step: str, gate: Gate, *, amid: bool) -> bool:
    """Whether the creation is in this step: amid its work, or with all of it done and the outcome not yet kept."""
    return gate.reached() or (amid and drill.steps(creation)[step] == "running")


def catch(drill: Site, creation: Creation, step: str, gate: Gate, *, amid: bool = False) -> None:
    assert eventually(lambda: caught(drill, creation, step, gate, amid=amid) or drill.over(creation), PATIENCE), step
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


def test_a_creation_completes_though_the_process_at_work_is_killed_in_any_step_but_not_for_ever(drill: Site) -> None:
    completing = [f"child_{number}" for number in range(4)]
    plans = {name: list(STEPS[number::4]) for number, name in enumerate(completing)} | {"given_up": ["register"] * 3}
    gates = {name: drill.gate(name, f"{plan[0]} completed") for name, plan in plans.items()}
    creations = {name: drill.create(name) for name in plans}

    def kill_who_is_caught() -> bool:
        for name, plan in plans.items():
            amid = bool(plan) and STEPS.index(plan[0]) % 2 == 0
            if plan and caught(drill, creations[name], plan[0], gates[name], amid=amid):
                drill.kill(drill.holder(creations[name]))
                gates[name].open()
                if plan[1:]:
                    gates[name] = drill.gate(name, f"{plan[1]} completed")
                del plan[0]
        return not any(plans.values())

    assert eventually(kill_who_is_caught, PATIENCE), plans
    ended = drill.end_of(*creations.values())
    assert {name: ended[name] for name in completing} == dict.fromkeys(completing, "completed")
    assert ended["given_up"] == "failed at register: interrupted: gave up after 3 attempts: the worker died"
    assert {step.name: step.status for step in drill.progress(creations["given_up"]).steps}["register"] == "failed"
    there_is_exactly(drill, *completing)
    drill.remove(*completing)


def test_creations_complete_though_the_whole_worker_is_killed_in_each_of_their_steps(drill: Site) -> None:
    """Two creations, as a worker has two at hand: one is at the end of a step, the other amid the next."""
    rounds = list(zip_longest(STEPS[::2], STEPS[1::2]))
    names = ("worker_one", "worker_two")
    gates = [tuple(drill.gate(name, f"{step} completed") for name, step in zip(names, steps, strict=True))
             for steps in rounds]  # fmt: skip
    creations = [drill.create(name) for name in names]

    for (ending, amid), (end, other) in zip(rounds, gates, strict=True):
        if amid:
            catch(drill, creations[1], amid, other, amid=True)
        catch(drill, creations[0], ending, end)
        drill.kill(drill.child("worker"))
        end.open()
        other.open()

    assert drill.end_of(*creations) == dict.fromkeys(names, "completed")
    there_is_exactly(drill, *names)
    drill.remove(*names)


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
