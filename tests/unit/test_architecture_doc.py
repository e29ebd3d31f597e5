"""The map is the land: threads, layers, rooms, guarantees, errors and decisions are those of the code."""

import ast
import re
import tomllib

import pytest
from documents import document, first_words, rows, section, words
from program_words import ROOT, Unreadable, literals, modules, threads, threads_in

ARCHITECTURE = document("architecture.md")


def test_the_threads_table_is_true() -> None:
    table = rows(section(ARCHITECTURE, "Threads, all of them"))
    by_module = sorted(words(row[1]).pop() for row in table if words(row[1]))

    assert by_module == sorted(path for path, _ in threads())
    named = {name for row in table for name in re.split(r", | \(", row[0])}
    assert {name for _, name in threads() if name} <= named


def test_every_way_to_make_a_thread_is_seen() -> None:
    source = """
class Server(socketserver.ThreadingMixIn): ...
Thread(target=run, name="one")
threading.Thread(target=run)
Worker[Job, None]("two", work, answer, clock, 1)
ThreadPoolExecutor(1, "three")
"""
    assert sorted(threads_in(ast.parse(source))) == ["", "", "one", "three", "two"]


def test_each_source_names_the_thread_that_delivers_it() -> None:
    names = {
        text
        for path in ("simline", "replay")
        for node in ast.walk(modules()[f"edge_agent/sources/{path}.py"])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "name"
        for text in literals(node.value)
    }

    assert ", ".join(sorted(names, reverse=True)) in [
        row[0] for row in rows(section(ARCHITECTURE, "Threads, all of them"))
    ]


def test_the_layers_are_those_that_are_checked() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(
        contract["layers"] for contract in linter["contracts"] if contract.get("containers") == ["edge_agent"]
    )

    assert "```\n" + "\n".join(layers) + "\n```" in section(ARCHITECTURE, "Import layers")


def test_one_module_opens_cameras() -> None:
    """The import contracts cannot see an attribute of cv2."""
    named = [
        path for path, tree in modules().items() if "VideoCapture" in {getattr(n, "attr", "") for n in ast.walk(tree)}
    ]

    assert named == ["edge_agent/sources/camera/door.py"]


def test_each_module_has_a_room() -> None:
    ours = [path.split("/") for path in modules()]
    there = {name.removesuffix(".py") for room, name, *_ in ours if room == "edge_agent"} - {"__init__"}
    named = {re.sub(r"\.py$|^edge_agent/|/$", "", word) for word in words(section(ARCHITECTURE, "Rooms"))}

    assert there <= {re.sub(r"\.py$", "", name) for name in named}


def test_each_guarantee_names_tests_that_exist() -> None:
    table = rows(section(ARCHITECTURE, "Guarantees"))

    assert [row[0] for row in table] == ["1", "2", "3", "4", "5", "6"]
    for row in table:
        named = words(row[2])
        assert named, row[1]
        for path, name in (place.split("::") for place in named):
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


def test_each_type_of_error_has_its_remedy() -> None:
    errors = {
        node.name
        for node in modules()["edge_agent/errors.py"].body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "EdgeAgentError" for base in node.bases)
    }

    assert set(first_words(section(ARCHITECTURE, "Errors and remedies"))) == errors


def test_decisions_are_numbered_and_have_the_same_four_parts() -> None:
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert re.findall(r"^(?:## |\*\*)(\w+)", text, re.M)[:1] == ["Status"]
        assert re.findall(r"^## (\w+)$", text, re.M) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= 60


def test_what_the_reader_of_the_source_cannot_follow_is_an_error() -> None:
    tree = ast.parse("def f(kind_of):\n    note('info', 'x', kind_of(), 'm')\n    note('info', 'x', other, 'm')")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 4]

    for call in calls:
        with pytest.raises(Unreadable):
            list(literals(call.args[2]))
