"""Reads the program's source for the words that people meet: threads, event kinds, causes, hints.

Works on the syntax tree, so that a test can hold the documents to the code without running it. Whatever it cannot
follow to a literal is an error, never passed over.
"""

import ast
import contextlib
import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

PLACEHOLDER: Final = "NAME"
"""Stands in for what a formatted string fills in at run time."""


class Unreadable(Exception):
    """A word is made in a way that this reader cannot follow."""


@cache
def modules() -> dict[str, ast.Module]:
    """Give the syntax trees of what runs on the station, by path relative to the project."""
    paths = sorted(path for room in ("edge_agent", "firmware_bridge") for path in (ROOT / room).rglob("*.py"))
    read = [path for path in paths if not {"testing", "sim"} & set(path.parts)]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in read}


def literals(node: ast.expr) -> Iterator[str]:
    """Give every text that an expression can stand for; what is formatted in becomes `NAME`, unless it is a choice."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from literals(body)
            yield from literals(orelse)
        case ast.JoinedStr(values=values):
            pieces = [list(_piece(value)) for value in values]
            yield from ("".join(choice) for choice in itertools.product(*pieces))
        case _:
            raise Unreadable(ast.unparse(node))


def arguments(callee: str, position: int, keyword: str, within: str = "") -> Iterator[str]:
    """Give each literal that the program passes to one parameter.

    What only hands something of the parameter's own name on (a variable, an attribute, a column of a row) is passed
    over: the literal is where that came from.

    Args:
        callee: the last name of what is called: `Verdict`, `_note`.
        position: of the parameter, from 0.
        keyword: its name.
        within: only in modules whose path begins with this.

    Yields:
        The texts.
    """
    for path, function, call in _calls():
        if _last_name(call.func) == callee and path.startswith(within):
            yield from _given(function, call, position, keyword)


@cache
def _calls() -> list[tuple[str, ast.FunctionDef, ast.Call]]:
    """Give each call inside a function, with its module and the innermost function around it."""
    found: list[tuple[str, ast.FunctionDef, ast.Call]] = []

    def visit(path: str, node: ast.AST, function: ast.FunctionDef | None) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.Call) and function is not None:
                found.append((path, function, inner))
            visit(path, inner, inner if isinstance(inner, ast.FunctionDef) else function)

    for path, tree in modules().items():
        visit(path, tree, None)
    return found


def _given(function: ast.FunctionDef, call: ast.Call, position: int, keyword: str) -> Iterator[str]:
    named = {word.arg: word.value for word in call.keywords}
    given = named.get(keyword, call.args[position] if position < len(call.args) else None)
    match given:
        case None:
            return
        case ast.Name(id=name):
            looped = list(_looped(function, name))
            if not looped and name != keyword:
                raise Unreadable(ast.unparse(call))
            yield from looped
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=name)) if name == keyword:
            return
        case _:
            yield from literals(given)


def threads() -> list[tuple[str, str]]:
    """Give module and name of each place that makes a thread; `""` where the name is not in the source."""
    found = [(path, name) for path, tree in modules().items() for name in threads_in(tree)]
    # A worker's own thread has the name that the worker was given, where it was made.
    return sorted(place for place in found if place[0] != "edge_agent/runtime/worker.py")


def threads_in(tree: ast.Module) -> Iterator[str]:
    """Give the name of each thread, worker and server of threads that a module makes."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, keywords=keywords) if _last_name(func) == "Thread":
                yield _constant(next((word.value for word in keywords if word.arg == "name"), None))
            case ast.Call(func=func, args=[name, *_]) if _last_name(func) in ("Worker", "_hire"):
                yield _constant(name)
            case ast.Call(func=func, args=[_, name]) if _last_name(func) == "ThreadPoolExecutor":
                yield _constant(name)
            case ast.ClassDef(bases=bases) if "ThreadingMixIn" in map(_last_name, bases):
                yield ""


def hints() -> Iterator[tuple[str, str]]:
    """Give module and text of every hint: what an error, a trouble or a conflict tells a person to do."""
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            given = [word.value for word in node.keywords if word.arg == "hint"]
            given += {"Trouble": node.args[2:3], "Conflict": node.args[2:3]}.get(_last_name(node.func), [])
            for value in given:
                try:
                    yield from ((path, text) for text in literals(value))
                except Unreadable:
                    yield from ((path, text) for text in _texts_in(value))
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and "HINT" in node.target.id:
                yield from ((path, text) for text in _texts_in(node.value))


def docs_named() -> Iterator[tuple[str, str]]:
    """Give module and text of every string of the program, docstrings too, that mentions a document."""
    for path, tree in modules().items():
        yield from ((path, text) for text in _texts_in(tree) if "docs/" in text)


def _looped(function: ast.FunctionDef, name: str) -> Iterator[str]:
    """Give the literals that a loop over a table in the source puts into the variable `name`."""
    for loop in ast.walk(function):
        if isinstance(loop, ast.For) and isinstance(loop.target, ast.Tuple) and isinstance(loop.iter, ast.Tuple):
            names = [_last_name(target) for target in loop.target.elts]
            rows = [row.elts for row in loop.iter.elts if isinstance(row, ast.Tuple)]
            if name in names:
                for row in rows:
                    yield from literals(row[names.index(name)])


def _piece(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.FormattedValue):
        try:
            yield from literals(value.value)
        except Unreadable:
            yield PLACEHOLDER
    else:
        yield from literals(value)


def _texts_in(node: ast.AST | None) -> Iterator[str]:
    if node is None:
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.JoinedStr):
            yield from literals(inner)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _last_name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last_name(value)
        case _:
            return ""


def _constant(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def beside_an_outcome() -> Iterator[str]:
    """Give the cause in each pair of an outcome and a cause that the program makes; "" is none."""
    for tree in modules().values():
        for node in ast.walk(tree):
            match node:
                case ast.Tuple(elts=[first, ast.Constant(value=str(cause))]) if cause and _mentions_outcome(first):
                    yield cause


def said_to_be_degraded() -> Iterator[str]:
    """Give the words that pairing, health of pictures, encoding and perceiving say about what a part is seen by."""
    said_in = (
        "inspection/pairing",
        "inspection/piece",
        "inspection/inspected",
        "sources/imagehealth",
        "sources/vibration",
    )
    for path in said_in:
        for node in ast.walk(modules()[f"edge_agent/{path}.py"]):
            match node:
                case ast.Call(func=ast.Attribute(attr="append"), args=[word]):
                    with contextlib.suppress(Unreadable):  # not every list is one of words
                        yield from literals(word)
                case ast.Tuple(elts=[*_, ast.Constant(value=str(word))]) if all(
                    isinstance(before, ast.Starred) for before in node.elts[:-1]
                ):
                    yield word


def _mentions_outcome(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Attribute) and _last_name(inner.value) == "Outcome" for inner in ast.walk(node))
