"""`make setup` meets the networks it will meet: each problem has a next step, and no secret of the index is shown."""

import base64
import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools import setup

ROOT = Path(__file__).resolve().parents[2]
UV_WHEEL = next(name for machine, (name, _) in setup.UV_WHEELS.items() if machine == os.uname().machine)
NOT_UV = b"these bytes are not uv"


class Index:
    """A package index that has one file, and remembers who asked how."""

    def __init__(self, *, scheme: str = "http") -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.file_host = "127.0.0.1"
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.seen.append((self.path, self.headers.get("Authorization")))
                link = f"{scheme}://{index.file_host}:{index.port}/files/{UV_WHEEL}#sha256=0"
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f'<a href="{link}">it</a>'.encode() if self.path.startswith("/simple") else NOT_UV)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    @contextmanager
    def serving(self) -> Iterator["Index"]:
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        yield self
        self.server.shutdown()
        thread.join()
        self.server.server_close()


@pytest.fixture
def index() -> Iterator[Index]:
    with Index().serving() as serving:
        yield serving


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What set-up reads, and nothing installed."""
    for name in ("requirements", "tools", "sdk"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "cli/pyproject.toml"):
        (tmp_path / "checkout" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    (tmp_path / "home").mkdir()
    return tmp_path / "checkout"


def set_up(checkout: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    home = str(checkout.parent / "home")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "NO_PROXY": "*", **settings}
    command = [sys.executable, "tools/setup.py", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, text=True, capture_output=True, check=False)


def test_index_out_of_reach_names_the_ways_out_and_not_the_password(checkout: Path) -> None:
    run = set_up(checkout, PIP_INDEX_URL="http://somebody:secret-word@127.0.0.1:9/simple")

    assert run.returncode == 1
    assert "cannot reach the package index" in run.stderr
    assert "set PIP_INDEX_URL" in run.stderr
    assert "WHEELS=" in run.stderr
    assert "secret-word" not in run.stderr + run.stdout


def test_file_that_is_not_the_pinned_one_is_refused_and_not_kept(checkout: Path, index: Index) -> None:
    run = set_up(checkout, PIP_INDEX_URL=f"http://127.0.0.1:{index.port}/simple")

    assert run.returncode == 1
    assert UV_WHEEL in run.stderr
    assert hashlib.sha256(NOT_UV).hexdigest() in run.stderr
    assert dict(setup.UV_WHEELS.values())[UV_WHEEL] in run.stderr
    assert sorted(path.name for path in (checkout / ".tools").iterdir()) == ["setup.lock"]


def test_index_and_its_password_come_from_pip_configuration(checkout: Path, index: Index) -> None:
    configuration = checkout.parent / "home" / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"[global]\nindex-url = http://somebody:100%25@127.0.0.1:{index.port}/simple/\n")

    set_up(checkout)

    credentials = "Basic " + base64.b64encode(b"somebody:100%").decode()
    assert index.seen == [("/simple/uv/", credentials), (f"/files/{UV_WHEEL}", credentials)]


def test_password_of_the_index_does_not_go_to_another_host(checkout: Path, index: Index) -> None:
    index.file_host = "localhost"

    set_up(checkout, UV_DEFAULT_INDEX=f"http://somebody:secret-word@127.0.0.1:{index.port}/simple")

    assert [authorization is not None for _, authorization in index.seen] == [True, False]


def test_untrusted_certificate_names_the_setting_that_helps(checkout: Path, tmp_path: Path) -> None:
    index = Index(scheme="https")
    index.file_host = "localhost"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path / "server.pem"))
    index.server.socket = context.wrap_socket(index.server.socket, server_side=True)
    with index.serving():
        refused = set_up(checkout, PIP_INDEX_URL=f"https://localhost:{index.port}/simple")
        trusted = set_up(
            checkout, PIP_INDEX_URL=f"https://localhost:{index.port}/simple", PIP_CERT=str(tmp_path / "server.pem")
        )

    assert "set PIP_CERT or SSL_CERT_FILE" in refused.stderr
    assert "is not the pinned file" in trusted.stderr


def test_folder_of_wheels_that_lacks_one_is_named_with_the_file(checkout: Path, tmp_path: Path) -> None:
    run = set_up(checkout, "--wheels", str(tmp_path), PIP_INDEX_URL="http://127.0.0.1:9/simple")

    assert run.returncode == 1
    assert f"has no {UV_WHEEL}" in run.stderr


def _self_signed(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
