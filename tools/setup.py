"""Everything a fresh checkout needs, with nothing but Python's standard library: `make setup`.

Fetches uv from the index that pip would use, installs the pinned packages into .venv, builds the SDK's wheel and makes
the environment that agents run in. A stamp, written last, makes the second run free. `WHEELS=dir` needs no network.
"""

import argparse
import base64
import configparser
import fcntl
import hashlib
import html
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
SHARE = VENV / "share" / "promptcraft"
STAMP = SHARE / "setup.stamp"
CHECKS = ROOT / "src" / "promptcraft" / "agents" / "template" / "checks" / "pyproject.toml"
LOCKS = (ROOT / "requirements" / "platform.txt", ROOT / "requirements" / "agent.txt")
# A lock is whole: it names all that is to be installed, and leaves out what packages ask for and nobody uses.
FROM_LOCK = ("--require-hashes", "--no-deps")
DISTRIBUTIONS = (".", "sdk", "cli")
OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 28)
DISK_NEEDED = 1_000_000_000
# The index of whoever has configured none, as for pip and uv themselves.
PUBLIC_INDEX = "https://pypi.org/simple"
SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# All that the template's code imports beside the standard library.
IMPORTED = """
import httpx, httpx2, jsonschema, mcp, mcp.client.streamable_http, pytest
import argparse, asyncio, json, os, subprocess, tempfile, time
import promptcraft_sdk.agent, promptcraft_sdk.configuration, promptcraft_sdk.evaluation, promptcraft_sdk.knowledge
"""
# 2000-01-01: a wheel's dates say nothing, so equal sources give equal bytes and one agents' environment
WHEEL_EPOCH = "946684800"

UV_VERSION = "0.13.9"
UV_WHEELS = {
    "x86_64": (
        f"uv-{UV_VERSION}-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    "aarch64": (
        f"uv-{UV_VERSION}-py3-none-manylinux_2_28_aarch64.whl",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
}


class SetupError(Exception):
    """What stands in the way, and what to do about it."""

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(f"{problem}\n  Next: {next_step}")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


# --- the machine -----------------------------------------------------------------------------------------------------


def check_machine() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"need Python 3.11 or newer, found {platform.python_version()}",
            "on Debian 12: apt-get install python3; or name another: make setup PYTHON=/path/to/python3",
        )
    if sys.platform != "linux" or platform.machine() not in UV_WHEELS:
        raise SetupError(
            f"no server wheels for {sys.platform} on {platform.machine()}",
            "use Linux on x86_64 or aarch64 (a container or a virtual machine will do)",
        )
    library, version = platform.libc_ver()
    if library != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        raise SetupError(
            f"need glibc 2.28 or newer, found {library or 'another C library'} {version}",
            "use a distribution of 2018 or later that has glibc, such as Debian 12",
        )
    if not os.access(ROOT, os.W_OK):
        raise SetupError("this checkout is not writable for you", "clone the repository into a folder of your own")
    if shutil.disk_usage(ROOT).free < DISK_NEEDED:
        raise SetupError("less than 1 GB of disk is free here", "free some, or clone the repository elsewhere")


def install_system_packages() -> None:
    """bubblewrap isolates agents, git holds them. Installed where that is possible, else named."""
    needed = {"git": "git", "bwrap": "bubblewrap"}
    missing = [package for program, package in needed.items() if shutil.which(program) is None]
    if missing and os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get"):
        say(f"installing Debian's {' and '.join(missing)}")
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *missing)
        missing = [package for program, package in needed.items() if shutil.which(program) is None]
    if "git" in missing:
        raise SetupError("git is missing", "apt-get install git")
    if "bubblewrap" in missing:
        say("bubblewrap is missing: agents of the built-in template will run without isolation")
        say("  Next: apt-get install bubblewrap")


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run = subprocess.run(["apt-get", "-q", *arguments], env=environment, text=True, capture_output=True, check=False)
    if run.returncode:
        say(f"apt-get {arguments[0]} failed: {(run.stderr.strip().splitlines() or ['no reason given'])[-1]}")


# --- the index: where packages come from; its address may hold a password and is never shown -------------------------


def pip_configuration() -> dict[str, str]:
    """`index-url` and `cert` as pip reads them: the later file wins."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    user = Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"))
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user / "pip" / "pip.conf"]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {name: parser[section][name] for name in ("index-url", "cert") if name in parser[section]}
    return found


def find_index() -> str | None:
    named = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX")
    return named or pip_configuration().get("index-url")


def find_certificates() -> str | None:
    named = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or pip_configuration().get("cert")
    system = (ssl.get_default_verify_paths().cafile, SYSTEM_CERTIFICATES)
    return named or next((file for file in system if file and Path(file).exists()), None)


def uv_environment(wheels: Path | None) -> dict[str, str]:
    """What uv runs with: pip's index and certificates, no Python and no settings of its own choosing."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_FIND_LINKS")}
    environment |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "SOURCE_DATE_EPOCH": WHEEL_EPOCH}
    if certificates := find_certificates():
        environment["SSL_CERT_FILE"] = certificates
    if wheels:
        environment |= {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels)}
    elif index := find_index():
        environment["UV_DEFAULT_INDEX"] = index
    home = environment.get("HOME")
    if "UV_CACHE_DIR" not in environment and not (home and os.access(home, os.W_OK)):
        environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
    return environment


def _download(url: str) -> tuple[bytes, str]:
    """The body at an address and the address it finally came from."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        # "unredirected": an index that sends us elsewhere for a file does not give away the password it has from us
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    context = ssl.create_default_context(cafile=find_certificates())
    with urllib.request.urlopen(request, timeout=60, context=context) as response:
        return response.read(), response.geturl()


def _fetch_from_index(name: str) -> bytes:
    index = find_index() or PUBLIC_INDEX
    page, address = _download(f"{index.rstrip('/')}/uv/")
    links = (html.unescape(link) for link in re.findall(r'href="([^"]+)"', page.decode("utf-8", "replace")))
    link = next((link for link in links if urllib.parse.unquote(urllib.parse.urlsplit(link).path).endswith(name)), None)
    if link is None:
        raise SetupError(f"the package index has no {name}", f"put uv {UV_VERSION} or newer on PATH, or use WHEELS=dir")
    target = urllib.parse.urljoin(address, link)
    credentials = urllib.parse.urlsplit(index).netloc.rpartition("@")[0]
    parts = urllib.parse.urlsplit(target)
    if credentials and parts.hostname == urllib.parse.urlsplit(index).hostname and not parts.username:
        target = parts._replace(netloc=f"{credentials}@{parts.netloc}").geturl()
    return _download(target)[0]


def fetch(name: str) -> bytes:
    try:
        return _fetch_from_index(name)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise SetupError(
                "the package index shows a certificate that this machine does not trust",
                "set PIP_CERT or SSL_CERT_FILE to your CA bundle",
            ) from None
        said = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(reason).__name__
        raise SetupError(
            f"cannot reach the package index ({said})",
            "set PIP_INDEX_URL, or index-url in pip.conf; without network: put the wheels of requirements/*.txt and "
            f"{name} into a folder and run `make setup WHEELS=folder`",
        ) from None


# --- uv --------------------------------------------------------------------------------------------------------------


def _version(uv: str | Path) -> tuple[int, ...]:
    try:
        said = subprocess.run([uv, "--version"], text=True, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    match = re.search(r"\d+\.\d+\.\d+", said)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def find_uv(wheels: Path | None) -> Path:
    """uv of the pinned version or a newer one, in .tools/uv."""
    pinned = tuple(int(part) for part in UV_VERSION.split("."))
    uv = TOOLS / "uv"
    if _version(uv) >= pinned:
        return uv
    TOOLS.mkdir(exist_ok=True)
    uv.unlink(missing_ok=True)
    own = shutil.which("uv")
    if own and _version(own) >= pinned:
        uv.symlink_to(own)
        return uv
    name, expected = UV_WHEELS[platform.machine()]
    if wheels and not (wheels / name).is_file():
        raise SetupError(f"{wheels} has no {name}", "put it there, beside the wheels of requirements/*.txt")
    say(f"fetching uv {UV_VERSION}")
    content = (wheels / name).read_bytes() if wheels else fetch(name)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise SetupError(
            f"{name} is not the pinned file\n  expected sha256 {expected}\n  found    sha256 {found}",
            "do not use this index before somebody has explained the difference",
        )
    archive = TOOLS / name
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as wheel:
        program = next(member for member in wheel.namelist() if member.endswith(".data/scripts/uv"))
        uv.write_bytes(wheel.read(program))
    archive.unlink()
    uv.chmod(0o755)
    return uv


class Uv:
    """uv with what it needs to know of this machine."""

    def __init__(self, wheels: Path | None) -> None:
        self._program = find_uv(wheels)
        self._environment = uv_environment(wheels)

    def __call__(self, *arguments: str | Path) -> None:
        command = [str(self._program), *(str(argument) for argument in arguments)]
        run = subprocess.run(command, cwd=ROOT, env=self._environment, text=True, capture_output=True, check=False)
        if run.returncode == 0:
            return
        said = re.sub(r"[a-z]+://\S+", "<address>", run.stderr).strip()
        if "ash mismatch" in said:
            raise SetupError(
                f"a package is not the pinned file\n{said}", "do not use this index before it is explained"
            )
        raise SetupError(
            f"uv {' '.join(command[1:3])} failed\n{said}",
            "run it again; if it is the network: set PIP_INDEX_URL and PIP_CERT, or use `make setup WHEELS=folder`",
        )


# --- what is made ----------------------------------------------------------------------------------------------------


def wanted() -> str:
    """What the stamp must say: a hash over all that set-up reads, and the Python it is for."""
    digest = hashlib.sha256()
    projects = [ROOT / one / "pyproject.toml" for one in DISTRIBUTIONS]
    sources = sorted(path for path in (ROOT / "sdk" / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")
    for file in (Path(__file__), CHECKS, *LOCKS, *projects, *sources):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return f"{digest.hexdigest()} {platform.python_version()} {ROOT}\n"


def _python_version(program: Path) -> str:
    asked = "import platform; print(platform.python_version())"
    try:
        return subprocess.run([program, "-c", asked], text=True, capture_output=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _works(environment: Path, python: Path) -> bool:
    """A folder is no proof: a failed or moved environment has one too, and so has one of an older Python."""
    found = _python_version(environment / "bin" / "python")
    return (environment / "pyvenv.cfg").is_file() and found != "" and found == _python_version(python)


def own_python() -> Path:
    """The Python that runs this script, or the one under it where it runs in a virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def agents_python() -> Path:
    """The Python agents run on: the system's where it will do, as they see only /usr, else the one that runs this."""
    system = Path("/usr/bin/python3")
    version = tuple(int(part) for part in re.findall(r"\d+", _python_version(system))[:2])
    return system if version >= OLDEST_PYTHON else own_python()


def install_platform(uv: Uv) -> None:
    if not _works(VENV, own_python()):
        uv("venv", "--clear", "--python", own_python(), VENV)
    say("installing the pinned packages")
    into = ("--python", VENV / "bin" / "python")
    # what comes as source is built by what the lock pins, too
    pinned = (*FROM_LOCK, "--build-constraints", LOCKS[0], "-r", LOCKS[0])
    uv("pip", "install", *into, "--compile-bytecode", *pinned)
    editables = [argument for one in DISTRIBUTIONS for argument in ("-e", ROOT / one)]
    uv("pip", "install", *into, "--no-deps", "--no-build-isolation", *editables)


def build_sdk_wheel() -> Path:
    """The wheel that goes with every agent's repository: equal sources give equal bytes."""
    wheels = SHARE / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": WHEEL_EPOCH}
    with tempfile.TemporaryDirectory(dir=SHARE) as fresh:
        build = [VENV / "bin" / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", fresh]
        run = subprocess.run(build, cwd=ROOT / "sdk", env=environment, text=True, capture_output=True, check=False)
        if run.returncode:
            raise SetupError(f"the SDK's wheel cannot be built\n{run.stderr.strip()}", "repair sdk/ and run it again")
        built = next(Path(fresh).glob("promptcraft_sdk-*.whl"))
        for other in wheels.iterdir():
            if other.name != built.name:
                other.unlink()
        return built.replace(wheels / built.name)


def make_agent_environment(uv: Uv, wheel: Path) -> Path:
    """What agents run in, shared; named by what is in it, so that an agent keeps the one it was tested with."""
    lock = LOCKS[1].read_bytes()
    parts = (wheel.read_bytes(), CHECKS.read_bytes(), IMPORTED.encode())
    name = hashlib.sha256(lock + b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]
    environments = SHARE / "agent-envs"
    environment = environments / name
    if not (environment / "complete").exists() or not _works(environment, agents_python()):
        say(f"making the agents' environment {name}")
        environments.mkdir(parents=True, exist_ok=True)
        uv("venv", "--clear", "--python", agents_python(), environment)
        into = ("--python", environment / "bin" / "python", "--compile-bytecode")
        uv("pip", "install", *into, *FROM_LOCK, "-r", LOCKS[1])
        uv("pip", "install", *into, "--no-deps", wheel)
        lay_checks(environment)
        (environment / "complete").touch()
    (SHARE / "agent-requirements.txt").write_bytes(lock)
    current = environments / "default.new"
    current.unlink(missing_ok=True)
    current.symlink_to(name)
    current.replace(environments / "default")
    return environment


def lay_checks(environment: Path) -> None:
    """What the gate holds agents to, and what mypy knows already of all that an agent imports: 9 s of each creation."""
    checks = environment / "checks"
    checks.mkdir(exist_ok=True)
    config = checks / "pyproject.toml"
    config.write_bytes(CHECKS.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "imported.py").write_text(IMPORTED, encoding="utf-8")
        options = ("--config-file", config, "--cache-dir", checks / "mypy-cache", "imported.py")
        mypy = [environment / "bin" / "python", "-I", "-m", "mypy", *options]
        run = subprocess.run(mypy, cwd=folder, text=True, capture_output=True, check=False)
    if run.returncode:
        said = f"{run.stdout}{run.stderr}".strip()
        raise SetupError(
            f"mypy cannot read what agents import\n{said}", "repair requirements/agent.txt and run it again"
        )


@contextmanager
def alone() -> Iterator[None]:
    """Two set-ups of one checkout take turns."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_done() -> bool:
    return STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted()


def set_up(wheels: Path | None, *, agents_only: bool) -> None:
    os.umask(0o022)  # agents run as somebody else and must be able to read
    check_machine()
    with alone():
        if is_done():
            return
        uv = Uv(wheels)
        STAMP.unlink(missing_ok=True)
        if not agents_only:
            install_platform(uv)
        make_agent_environment(uv, build_sdk_wheel())
        if not agents_only:
            STAMP.write_text(wanted(), encoding="utf-8")
            say("done")


def main() -> int:
    parser = argparse.ArgumentParser(description="Install everything this checkout needs.")
    parser.add_argument("--wheels", type=lambda text: Path(text).resolve(), help="a folder to install from, offline")
    parser.add_argument(
        "--agents-only", action="store_true", help="rebuild only the SDK's wheel and the agents' environment"
    )
    options = parser.parse_args()
    try:
        install_system_packages()
        if not is_done():
            set_up(options.wheels, agents_only=options.agents_only)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
