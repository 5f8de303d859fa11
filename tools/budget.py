"""The budget of style: how long modules and functions are, and what nobody may silence. Part of `make check`.

Ruff judges a line or a function; this measures the whole, and sees to it that ruff's judgement stands.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PRODUCT = ("src", "sdk/src", "cli/src", "tools")
DATA = "src/promptcraft/agents/template/"  # checked as a rendered agent
KERNEL = "src/promptcraft/kernel/"
CATALOGUE = "src/promptcraft/kernel/audit/catalogue/"
MAY_DEFER_IMPORTS = ("cli/src/pc_hybrid/", "src/promptcraft/app/", "tools/")

MODULE_LINES = {50: 120, 90: 350, 100: 600}
FUNCTION_LINES = {50: 10, 90: 35, 100: 80}
KERNEL_LINES = 3_600
ROOT_ENTRIES = 25
MOCKS_PER_TEST = 1 / 3
TYPE_IGNORES_PER_THOUSAND = 0.5

NEVER_SILENCED = {"C901": "complexity", "PLR0912": "branches", "PLR0915": "statements"}
MOCKS = {"Mock", "MagicMock", "AsyncMock", "patch", "mocker", "create_autospec"}
NOQA = re.compile(r"#\s*noqa(?::\s*(?P<codes>[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*))?(?P<reason>.*)")
TYPE_IGNORE = re.compile(r"#\s*(?:pyright|type):\s*ignore(?:\[(?P<codes>[^\]]*)\])?(?P<reason>.*)")


@dataclass(frozen=True)
class Module:
    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[tuple[int, str, int]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1

    def comments(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def read(root: Path, folders: tuple[str, ...]) -> list[Module]:
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    names = [(path, path.relative_to(root).as_posix()) for path in paths]
    texts = [(name, path.read_text(encoding="utf-8")) for path, name in names if not name.startswith(DATA)]
    return [Module(name, text, ast.parse(text, name)) for name, text in texts]


def percentile(values: list[int], share: int) -> int:
    """The smallest value that at least so many in a hundred do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else 0


def _spread(what: str, values: list[int], limits: dict[int, int]) -> tuple[str, list[str]]:
    found = {share: percentile(values, share) for share in limits}
    shown = "  ".join(f"p{share} {found[share]}/{limit}" for share, limit in limits.items())
    over = [share for share in limits if share < 100 and found[share] > limits[share]]
    return f"{what:<10}{len(values):6}   {shown}", [
        f"{what}: {share} in 100 may have at most {limits[share]} lines, the figure is {found[share]}" for share in over
    ]


def sizes(modules: list[Module]) -> tuple[list[str], list[str]]:
    functions = [(module.path, *function) for module in modules for function in module.functions()]
    module_figures, module_problems = _spread("modules", [module.lines for module in modules], MODULE_LINES)
    function_figures, function_problems = _spread("functions", [size for *_, size in functions], FUNCTION_LINES)
    too_long = [
        f"{module.path}:1: module of {module.lines} lines, at most {MODULE_LINES[100]}: make a package of the same name"
        for module in modules
        if module.lines > MODULE_LINES[100]
    ]
    too_long += [
        f"{path}:{line}: function {name} of {size} lines, at most {FUNCTION_LINES[100]}"
        for path, line, name, size in functions
        if size > FUNCTION_LINES[100]
    ]
    return [module_figures, function_figures], [*module_problems, *function_problems, *too_long]


def kernel_size(modules: list[Module]) -> tuple[list[str], list[str]]:
    inside = [one for one in modules if one.path.startswith(KERNEL) and not one.path.startswith(CATALOGUE)]
    lines = sum(module.lines for module in inside)
    figure = f"{'kernel':<10}{lines:6}   lines without the audit catalogue, at most {KERNEL_LINES}"
    return [figure], [f"{KERNEL}: {lines} lines, at most {KERNEL_LINES}: what is one context's belongs into it"] * (
        lines > KERNEL_LINES
    )


def _silenced(module: Module, line: int, match: re.Match[str]) -> Iterator[str]:
    place, reason = f"{module.path}:{line}", match["reason"].strip(" -#:–")
    codes = [code.strip() for code in (match["codes"] or "").split(",") if code.strip()]
    if not codes or not reason:
        yield f"{place}: an ignore names its rule and gives its reason: `# noqa: CODE  why`"
    for code in codes:
        if code in NEVER_SILENCED:
            yield f"{place}: {code} ({NEVER_SILENCED[code]}) is not silenced: divide the function"
        if code == "PLC0415" and not module.path.startswith(MAY_DEFER_IMPORTS):
            yield f"{place}: deferred import outside CLI commands and role start-up: import at the top"
        if code == "BLE001" and "process edge" not in reason:
            yield f"{place}: blind except: allowed only at a named edge, `# noqa: BLE001  process edge: why`"


def silenced(modules: list[Module]) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    edges = type_ignores = 0
    for module in modules:
        for line, comment in module.comments():
            if match := NOQA.search(comment):
                problems += _silenced(module, line, match)
                edges += "BLE001" in comment
            if match := TYPE_IGNORE.search(comment):
                type_ignores += 1
                if not match["codes"] or not match["reason"].strip(" #"):
                    problems.append(f"{module.path}:{line}: `# pyright: ignore[rule]  # why`: name rule and reason")
    allowed = TYPE_IGNORES_PER_THOUSAND * sum(module.lines for module in modules) / 1000
    if type_ignores > max(1, allowed):
        problems.append(
            f"{type_ignores} type ignores, at most {allowed:.0f} in code of this size: give the value a type"
        )
    return [
        f"{'ignores':<10}{type_ignores:6}   of types, at most {allowed:.0f};  blind excepts at process edges: {edges}"
    ], problems


def commits(modules: list[Module]) -> list[str]:
    """One unit of work is one transaction: kernel opens and ends it."""
    return [
        f"{module.path}:{node.lineno}: .commit() outside kernel: unit_of_work ends the transaction"
        for module in modules
        if module.path.startswith("src/") and not module.path.startswith(KERNEL)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]


def hidden_folders(root: Path, modules: list[Module]) -> list[str]:
    """The import contracts see packages only."""
    folders = sorted({str(Path(module.path).parent) for module in modules} - set(PRODUCT))
    return [
        f"{folder}: no __init__.py, so the import contracts do not see it"
        for folder in folders
        if not (root / folder / "__init__.py").exists()
    ]


def mocks(tests: list[Module]) -> tuple[list[str], list[str]]:
    names = [name for module in tests for _, name, _ in module.functions() if name.startswith("test_")]
    used = sum(
        isinstance(node, ast.Call) and bool(MOCKS & {part.rpartition(".")[2] for part in _called(node)})
        for module in tests
        for node in ast.walk(module.tree)
    )
    figure = f"{'tests':<10}{len(names):6}   with {used} mocks, at most one in three tests"
    too_many = used > MOCKS_PER_TEST * len(names)
    return [figure], [f"tests: {used} mocks in {len(names)} tests, at most one in three: use the real part"] * too_many


def _called(call: ast.Call) -> Iterator[str]:
    """The names in `a.b.c(...)`: a, b, c."""
    node: ast.expr = call.func
    while isinstance(node, ast.Attribute):
        yield node.attr
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def root_entries(root: Path) -> tuple[list[str], list[str]]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(listing, cwd=root, capture_output=True, check=False)
    names = run.stdout.decode().split("\0") if run.returncode == 0 else [path.name for path in root.iterdir()]
    entries = {name.split("/")[0] for name in names if name}
    figure = f"{'root':<10}{len(entries):6}   entries, at most {ROOT_ENTRIES}"
    return [figure], [f"{len(entries)} entries in the root, at most {ROOT_ENTRIES}"] * (len(entries) > ROOT_ENTRIES)


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    product, tests = read(root, PRODUCT), read(root, ("tests",))
    problems = [*commits(product), *hidden_folders(root, product)]
    for figures, found in (
        sizes(product),
        kernel_size(product),
        silenced([*product, *tests]),
        mocks(tests),
        root_entries(root),
    ):
        print("\n".join(figures))
        problems += found
    print("".join(f"{problem}\n" for problem in problems), end="")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
