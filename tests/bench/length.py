"""Lines of the sample cloud's actions and jobs, and of their twins in plain Flask and Celery.

``python -m tests.bench.length``: a function's lines are those of its decorators, its signature, its body, and the class
of its parameters; one that several take counts for the first of them. Docstrings, comments and blank lines do not
count. What a side needs beside its functions is counted, too, module by module, for each could move lines from the ones
to the other. The provider, which both use, is not counted, nor is stratus's API for operators, which its twin lacks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from densefog_core.functions import camel_case

HERE = Path(__file__).parent
Function = ast.FunctionDef


@dataclass(frozen=True)
class Side:
    """One of the two clouds.

    Attributes:
        name: for the table.
        folder: its package.
        jobs: the module of its jobs; that of its actions is ``actions.py`` in both.
        left_out: modules that do not count.
    """

    name: str
    folder: Path
    jobs: str
    left_out: tuple[str, ...] = ()

    @property
    def actions(self) -> dict[str, int]:
        """Lines by action."""
        return lengths((self.folder / "actions.py").read_text())

    @property
    def tasks(self) -> dict[str, int]:
        """Lines by job."""
        return lengths((self.folder / self.jobs).read_text())

    @property
    def beside(self) -> dict[str, int]:
        """Lines of each module that are no action's and no job's."""
        modules = [path for path in sorted(self.folder.glob("*.py")) if path.name not in self.left_out]
        functions = {"actions.py": self.actions, self.jobs: self.tasks}
        rest = {
            path.name: len(code(path.read_text())) - sum(functions.get(path.name, {}).values()) for path in modules
        }
        return {name: lines for name, lines in rest.items() if lines}


STRATUS = Side(
    "stratus", HERE.parents[1] / "examples" / "stratus" / "stratus", "jobs.py", ("manage.py", "provider.py")
)
PLAIN = Side("plain", HERE / "plain", "tasks.py")


def lengths(source: str) -> dict[str, int]:
    """Return the lines of a module's decorated functions by the names that they are registered under."""
    tree, lines = ast.parse(source), code(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, int] = {}
    for function in tree.body:
        if isinstance(function, Function) and function.decorator_list:
            takes = [classes.pop(name) for name in _annotations(function) if name in classes]
            found[camel_case(function.name)] = len(lines & _span([function, *takes]))
    return found


def code(source: str) -> set[int]:
    """Return the numbers of the lines that are neither blank nor a comment nor of a docstring."""
    lines = {number for number, line in enumerate(source.splitlines(), 1) if line.split("#")[0].strip()}
    return lines - _span(_docstrings(ast.parse(source)))


def _docstrings(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0]


def _annotations(function: Function) -> Iterator[str]:
    for argument in function.args.args:
        if isinstance(argument.annotation, ast.Name):
            yield argument.annotation.id


def _span(nodes: Iterable[ast.stmt]) -> set[int]:
    """Return the numbers of the lines from the first decorator to the last line of each."""
    found: set[int] = set()
    for node in nodes:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(one.lineno for one in decorators)])
        found |= set(range(first, (node.end_lineno or first) + 1))
    return found


def longer() -> list[str]:
    """Return what takes more lines on densefog than without it."""
    plain = {**PLAIN.actions, **{f"job {name}": lines for name, lines in PLAIN.tasks.items()}}
    ours = {**STRATUS.actions, **{f"job {name}": lines for name, lines in STRATUS.tasks.items()}}
    return [name for name, lines in ours.items() if lines > plain[name]]


def main() -> None:
    """Print the table."""
    _row("", STRATUS.name, PLAIN.name)
    totals = [0, 0]
    for title, parts in (("actions", (STRATUS.actions, PLAIN.actions)), ("jobs", (STRATUS.tasks, PLAIN.tasks))):
        for name in parts[0]:
            _row(name, *(part[name] for part in parts))
        sums = [sum(part.values()) for part in parts]
        _row(f"all {title}", *sums)
        print()
        totals = [total + one for total, one in zip(totals, sums, strict=True)]
    _row("actions and jobs", *totals)
    beside = [sum(side.beside.values()) for side in (STRATUS, PLAIN)]
    _row("what they need beside", *beside)
    _row("together", *(total + one for total, one in zip(totals, beside, strict=True)))
    print()
    for side in (STRATUS, PLAIN):
        print(f"beside, {side.name}: " + ", ".join(f"{name} {lines}" for name, lines in side.beside.items()))
    print(f"longer on densefog: {', '.join(longer()) or 'none'}")


def _row(name: str, *cells: object) -> None:
    print(f"{name:24}" + "".join(f"{cell!s:>10}" for cell in cells))


if __name__ == "__main__":
    main()
