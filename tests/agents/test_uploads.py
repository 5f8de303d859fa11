"""Knowledge that is sent: what is taken, and everything that a stranger could put into an archive."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from promptcraft.kernel.audit.catalogue.agents import KNOWLEDGE_UPLOADED
from promptcraft.kernel.audit.catalogue.kernel import ACCESS_DENIED, REQUEST_INVALID

UPLOADS = "/api/v4/admin/knowledge/uploads"
GUIDE = b"# Guide\n\nReturns are due on the tenth.\n"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, mode
    return entry


def archive(*entries: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            info = member(entry) if isinstance(entry, str) else entry
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


async def send(person, content: bytes):
    return await person.client.post(UPLOADS, content=content, headers={"Content-Type": "application/x-tar"})


def kept(platform) -> set[str]:
    """Everything below the data directory that an upload could have left."""
    data: Path = platform.process.settings.core.data_dir
    return {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress], ids=["tar", "tar.gz"])
async def test_documents_are_kept_under_the_hash_of_their_content(alice, platform, pack):
    answer = await send(alice, pack(archive(("vat/returns.md", GUIDE), ("faq.json", b'{"q": "a"}'))))

    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert data["source"].startswith("upload:sha256:")
    assert (data["documents"], data["bytes"]) == (2, len(GUIDE) + 10)
    assert any(name.endswith("vat/returns.md") for name in kept(platform))
    assert await alice.events() == [KNOWLEDGE_UPLOADED.id]


async def test_same_documents_packed_otherwise_are_the_same_upload(alice):
    first = await send(alice, archive(("a.md", GUIDE), ("b.md", b"b")))
    second = await send(alice, gzip.compress(archive(("b.md", b"b"), ("./a.md", GUIDE))))

    assert first.json()["data"] == second.json()["data"]


HOSTILE = {
    "symbolic link": archive((member("a.md", tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "hard link": archive(("a.md", GUIDE), (member("b.md", tarfile.LNKTYPE, "../../secrets/master.key"), b"")),
    "device": archive((member("a.md", tarfile.CHRTYPE), b"")),
    "fifo": archive((member("a.md", tarfile.FIFOTYPE), b"")),
    "absolute path": archive(("/tmp/a.md", GUIDE)),  # noqa: S108 -- a hostile name, never written
    "climbing path": archive(("../../a.md", GUIDE)),
    "hidden climbing path": archive(("docs/../../a.md", GUIDE)),
    "not UTF-8": archive(("a.md", b"\xff\xfe caf\xe9")),
    "NUL": archive(("a.md", b"a\0b")),
    "broken JSON": archive(("a.json", b'{"a": ')),
    "deep JSON": archive(("a.json", b"[" * 100_000)),
    "no document": archive(("a.exe", b"MZ")),
    "hidden file": archive((".git/config.md", b"[core]")),
    "control characters": archive(("a\x1b[31m.md", GUIDE)),
    "right-to-left mark": archive(("a\u202eexe.md", GUIDE)),
    "backslashes": archive(("..\\..\\a.md", GUIDE)),
    "long name": archive(("a" * 300 + ".md", GUIDE)),
    "twice": archive(("a.md", GUIDE), ("./a.md", b"other")),
    "file as directory": archive(("a.md", GUIDE), ("a.md/b.md", GUIDE)),
    "empty archive": archive(),
    "no archive": b"PK\x03\x04 this is a zip, or was",
    "cut off": gzip.compress(archive(("a.md", GUIDE)))[:-20],
    "nothing": b"",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_archive_is_refused_with_a_next_step_and_leaves_nothing(alice, platform, content):
    before = kept(platform)

    answer = await send(alice, content)

    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "archive_not_usable"
    assert problem["next_step"]
    assert kept(platform) == before
    assert await alice.events() == [REQUEST_INVALID.id]


@pytest.mark.parametrize("name", ["symbolic link", "climbing path", "not UTF-8", "broken JSON"])
async def test_refused_entry_is_named_by_its_pointer(alice, name):
    problem = (await send(alice, HOSTILE[name])).json()

    assert [error["pointer"] for error in problem["errors"]][0].endswith((".md", ".json"))
    assert json.dumps(problem).isascii() or "\x1b" not in json.dumps(problem)


def bomb() -> bytes:
    """A hundred and one megabytes of zeros, in a hundred kilobytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as zipped:
        entry = member("a.md")
        entry.size = 101 * 10**6
        zipped.write(entry.tobuf())
        for _ in range(101):
            zipped.write(b"a" * 10**6)
    return packed.getvalue()


def bomb_in_a_header() -> bytes:
    """A header for a long name that promises two gigabytes of it."""
    entry = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    entry.size = 2 * 10**9
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as zipped:
        zipped.write(entry.tobuf(format=tarfile.GNU_FORMAT))
        for _ in range(200):
            zipped.write(b"a" * 10**6)
    return packed.getvalue()


@pytest.mark.parametrize("make", [bomb, bomb_in_a_header])
async def test_bomb_is_refused_before_it_is_unpacked(alice, platform, make):
    before = kept(platform)

    answer = await send(alice, make())

    assert answer.status_code == 413, answer.text
    assert answer.json()["code"] == "archive_too_large"
    assert kept(platform) == before


@pytest.mark.parametrize(
    ("name", "size", "says"), [("a.json", 5_000_001, "larger than 5 MB"), ("a.md", 20_000_001, "larger than 20 MB")]
)
async def test_document_larger_than_agents_read_is_refused_by_name(alice, platform, name, size, says):
    before = kept(platform)

    answer = await send(alice, gzip.compress(archive((name, b"1" * size))))

    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"/{name}"
    assert says in error["detail"]
    assert kept(platform) == before


async def test_client_that_hangs_up_leaves_no_documents_and_no_failure_of_ours(alice, platform):
    before = kept(platform)
    arriving = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    headers = [(name.lower().encode(), value.encode()) for name, value in alice.client.headers.items()]
    scope = {
        "type": "http", "method": "POST", "path": UPLOADS, "raw_path": UPLOADS.encode(), "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("test", 80),
        "root_path": "",
    }  # fmt: skip

    async def receive():
        return next(arriving)

    async def send_nowhere(_message):
        pass

    await platform.asgi(scope, receive, send_nowhere)

    assert kept(platform) == before
    assert await alice.events() == [REQUEST_INVALID.id]


async def test_who_may_not_upload_leaves_a_denial_and_nothing_else(person, platform):
    viewer = await person("viewer")
    before = kept(platform)

    answer = await send(viewer, archive(("a.md", GUIDE)))

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert kept(platform) == before
    assert await viewer.events() == [ACCESS_DENIED.id]


async def test_without_a_token_nothing_is_read(nobody):
    assert (await nobody.post(UPLOADS, content=archive(("a.md", GUIDE)))).status_code == 401
