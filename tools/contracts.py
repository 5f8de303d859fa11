"""Two import contracts that import-linter does not have; .importlinter names them."""

from collections.abc import Set
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.contracts.layers import LayersContract
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression


def _contexts(graph: ImportGraph, candidates: object, no_contexts: object) -> set[str]:
    """The packages that are contexts now: a new folder is one unless .importlinter says otherwise."""
    modules = module_expressions_to_modules(graph, cast("Set[ModuleExpression]", candidates))
    others = {str(expression) for expression in cast("Set[ModuleExpression]", no_contexts)}
    return {module.name for module in modules} - others


class InsideContexts(LayersContract):
    """Layers inside every context that exists."""

    type_name = "inside_contexts"

    no_contexts = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        contexts = _contexts(graph, self.containers, self.no_contexts)
        if not contexts:
            return ContractCheck(kept=True)
        self.containers = [ModuleExpression(name) for name in sorted(contexts)]
        return super().check(graph, verbose)


class PublicFace(Contract):
    """Modules outside a context import only the context itself; the composition root mounts its parts."""

    type_name = "public_face"

    contexts = fields.SetField(subfield=fields.ModuleExpressionField())
    no_contexts = fields.SetField(subfield=fields.ModuleExpressionField())
    composition = fields.ListField(subfield=fields.StringField(), required=False)
    broken_contract_guidance = fields.TextField(required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        contexts = _contexts(graph, self.contexts, self.no_contexts)
        entries = [
            (importer, imported)
            for context in sorted(contexts)
            for imported in sorted(graph.find_descendants(context))
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if not _is_inside(importer, context) and not self._composes(importer, imported.removeprefix(context + "."))
        ]
        lines = [
            f"{importer} enters {imported} (l. {_line(graph, importer, imported)})" for importer, imported in entries
        ]
        return ContractCheck(kept=not lines, metadata={"lines": lines})

    def _composes(self, importer: str, part: str) -> bool:
        for rule in cast("list[str]", self.composition or []):
            root, _, parts = rule.partition(":")
            if _is_inside(importer, root.strip()) and part.split(".")[0] in parts.split():
                return True
        return False

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in cast("list[str]", check.metadata["lines"]):
            output.print_error(f"- {line}", bold=False)
        output.new_line()
        output.print(str(self.broken_contract_guidance or ""))


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _line(graph: ImportGraph, importer: str, imported: str) -> int:
    return graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]
