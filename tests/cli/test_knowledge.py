"""Documents packed for an upload: only what was meant, and the same bytes for the same files."""

import gzip
import io
import os
import tarfile

import pytest

from pc_hybrid.failures import Failure
from pc_hybrid.work import knowledge


@pytest.fixture
def handbook(tmp_path):
    root = tmp_path / "handbook"
    for name in ("b.md", "a.md", "deep/er/c.markdown", "UPPER.MD", "rates.json", "picture.png", "LICENSE"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def members(packed):
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed.archive))) as archive:
        return {member.name: archive.extractfile(member).read().decode() for member in archive.getmembers()}


def packed_by_kind(*paths):
    return {packed.kind: packed for packed in knowledge.pack(knowledge.select(paths))}


def test_markdown_and_json_are_taken_and_the_rest_is_counted(handbook):
    selection = knowledge.select([handbook])
    packed = packed_by_kind(handbook)

    assert members(packed["markdown"]) == {
        name: f"# {name}\n" for name in ("UPPER.MD", "a.md", "b.md", "deep/er/c.markdown")
    }
    assert members(packed["json"]) == {"rates.json": "# rates.json\n"}
    assert (packed["markdown"].documents, packed["markdown"].bytes) == (4, 11 + 7 + 7 + 21)
    assert selection.passed_over == {".png": 1, "no ending": 1}


def test_a_single_file_is_knowledge_too(handbook):
    assert list(members(packed_by_kind(handbook / "a.md")["markdown"])) == ["a.md"]


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_are_packed(handbook, tmp_path):
    first = packed_by_kind(handbook)["markdown"].archive
    moved = handbook.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*.md"):
        os.utime(path, (1, 1))
        path.chmod(0o600)

    again = packed_by_kind(moved)["markdown"].archive
    assert again == first
    assert again[4:8] == bytes(4), "gzip would keep the time of packing there (RFC 1952)"


def test_links_are_not_followed_and_hidden_files_not_looked_at(handbook, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "more.md").write_text("secret")
    (handbook / "link.md").symlink_to(tmp_path / "secret.md")
    (handbook / "linked").symlink_to(tmp_path / "secrets")
    (handbook / ".git").mkdir()
    (handbook / ".git" / "notes.md").write_text("hidden")
    (handbook / ".draft.md").write_text("hidden")

    selection = knowledge.select([handbook])

    assert selection.passed_over["link"] == 2
    assert {str(name) for name in selection.documents} == {
        "UPPER.MD", "a.md", "b.md", "deep/er/c.markdown", "rates.json",
    }  # fmt: skip


def test_something_that_is_no_file_does_not_hang_the_command(handbook):
    os.mkfifo(handbook / "pipe.md")

    with pytest.raises(Failure, match="is not a file"):
        packed_by_kind(handbook)


def test_two_directories_may_not_give_two_documents_one_name(handbook, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.md").write_text("other")

    with pytest.raises(Failure, match="would have the same name"):
        knowledge.select([handbook, tmp_path / "other"])


def test_the_same_directory_given_twice_is_taken_once(handbook):
    assert packed_by_kind(handbook, handbook)["markdown"].documents == 4


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_where_there_is_nothing_to_know_the_command_ends(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "picture.png").write_text("")

    with pytest.raises(Failure) as caught:
        knowledge.select([tmp_path / name])

    assert caught.value.exit_code == 2


def test_too_much_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(100 * 10**6 + 1)

    with pytest.raises(Failure, match="too large"):
        packed_by_kind(tmp_path)
