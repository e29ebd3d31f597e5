"""For any TOML text: each key's line is right, each repeat is found, and nothing raises."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.tomltext import KeyPath, read_toml

SCALARS = [
    "1", "-1.5e3", "inf", "0xff", "true", "1979-05-27 07:32:00", '""', "''", '"a # [b] = c"', "'lit \" \\'",
    r'"\" \\"', r'"\u00e4"', '"""\n[x]\na = 1\n"""', "'''\n]\n} # x\n'''", '"""q"""""', "'''q'''''", '"""a\\\n\n b"""',
]  # fmt: skip
GAPS = ["", " ", "\n", "\n\n  ", " # x = [1\n", '\t# """\n']
NOISE = ["", "\n", "# a = 1\n", "  \t\n", "  # [t]\n", '# """ \n\n']
SPACES = ["", " ", "\t "]

Lines = dict[KeyPath, int]


def shifted(lines: Lines, prefix: KeyPath, by: int) -> Lines:
    return {prefix + path: line + by for path, line in lines.items()}


@st.composite
def key_parts(draw, name: str) -> tuple[str, str]:
    """A key that is different for each `name`, and one way to write it."""
    return draw(
        st.sampled_from(
            [
                (name, name),
                (name, f'"{name}"'),
                (name, f"'{name}'"),
                (f"{name} = [#].", f'"{name} = [#]."'),
                (f'{name}"\n', f'"{name}\\"\\n"'),
            ]  # fmt: skip
        )
    )


@st.composite
def rendered_values(draw, depth: int = 0) -> tuple[str, Lines]:
    """A value as text, and the lines of what is inside it, counted from 0."""
    kind = draw(st.sampled_from(["scalar", "array", "table"] if depth < 3 else ["scalar"]))
    if kind == "scalar":
        return draw(st.sampled_from(SCALARS)), {}
    text, lines = ("[", {}) if kind == "array" else ("{", {})
    count = draw(st.integers(0, 3))
    for index in range(count):
        text += draw(st.sampled_from(GAPS if kind == "array" else SPACES))
        path: KeyPath = (index,)
        line = text.count("\n")
        if kind == "table":
            key, written = draw(key_parts(f"i{index}"))
            path = (key,)
            text += written + draw(st.sampled_from(SPACES)) + "=" + draw(st.sampled_from(SPACES))
        value, inside = draw(rendered_values(depth + 1))
        lines |= {path: line} | shifted(inside, path, text.count("\n"))
        text += value + draw(st.sampled_from(GAPS if kind == "array" else SPACES))
        if index < count - 1 or (kind == "array" and draw(st.booleans())):
            text += ","
    text += draw(st.sampled_from(GAPS)) if kind == "array" else ""
    return text + ("]" if kind == "array" else "}"), lines


@st.composite
def bodies(draw, table: KeyPath) -> tuple[str, Lines]:
    """The keys of one table, and their lines counted from 0."""
    text, lines = "", {}
    for index in range(draw(st.integers(0, 4))):
        text += draw(st.sampled_from(NOISE))
        line = text.count("\n")
        key, written = draw(key_parts(f"k{index}"))
        path = (*table, key)
        if draw(st.booleans()):
            for part in draw(st.lists(st.sampled_from("xyz"), min_size=1, max_size=2)):
                lines.setdefault(path, line)
                path += (part,)
                written += draw(st.sampled_from([".", " . "])) + part
        text += draw(st.sampled_from(SPACES)) + written + draw(st.sampled_from(SPACES)) + "="
        value, inside = draw(rendered_values())
        lines |= {path: line} | shifted(inside, path, line)
        text += draw(st.sampled_from(SPACES)) + value + draw(st.sampled_from(["", " ", " # a = [\n"])).rstrip("\n")
        text += "\n"
    return text, lines


@st.composite
def documents(draw) -> tuple[str, Lines]:
    """A valid TOML text, and the line of every key, table and element."""
    text, lines = draw(bodies(()))
    lines = shifted(lines, (), 1)
    for index in range(draw(st.integers(0, 4))):
        name, written = draw(key_parts(f"t{index}"))
        is_array = draw(st.booleans())
        for repeat in range(draw(st.integers(1, 3)) if is_array else 1):
            path: KeyPath = (name, repeat) if is_array else (name,)
            text += draw(st.sampled_from(NOISE))
            line = 1 + text.count("\n")
            lines.setdefault((name,), line)
            lines[path] = line
            pad = draw(st.sampled_from(SPACES))
            text += f"{pad}[[{pad}{written} ]]\n" if is_array else f"{pad}[{pad}{written} ]{pad}# c\n"
            body, inside = draw(bodies(path))
            lines |= shifted(inside, (), 1 + text.count("\n"))
            text += body
            if draw(st.booleans()):
                line = 1 + text.count("\n")
                lines |= {(*path, "sub"): line, (*path, "sub", "leaf"): line}
                text += f"[{written} . sub.'leaf']\n"
    return text, lines


def paths_of(value: object, at: KeyPath = ()) -> set[KeyPath]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path for key, inner in items for path in {(*at, key)} | paths_of(inner, (*at, key))}


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_each_key_has_its_line(document, line_end) -> None:
    text, lines = document
    text = text.replace("\n", line_end)
    read = read_toml(text)

    assert read.problems == ()
    assert read.values == tomllib.loads(text)
    assert read.lines == lines
    assert set(lines) == paths_of(read.values)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), max_size=4)), max_size=6))
def test_each_repeat_is_found(tables) -> None:
    text, repeated, first = "", [], {}
    for table, keys in tables:
        for name, written in [((table,), f"[{table}]"), *(((table, key), f"{key} = {{}}") for key in keys)]:
            line = 1 + text.count("\n")
            text += written.format(line) if name[1:] else written
            text = text.replace("{}", str(line)) + "\n"
            if name in first:
                repeated.append(line)
            first.setdefault(name, line)
    read = read_toml(text)

    assert [problem.line for problem in read.problems] == repeated
    assert {p: v for p in paths_of(read.values) if isinstance(v := look_up(read.values, p), int)} == {
        path: line for path, line in first.items() if len(path) == 2
    }


def look_up(values: object, path: KeyPath) -> object:
    for key in path:
        values = values[key]
    return values


FRAGMENTS = [
    *SCALARS,
    *GAPS,
    "a",
    "b.c",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "\r",
    "\0",
    "#",
]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=30).map("".join))
def test_nothing_raises_and_what_is_said_can_be_printed(text) -> None:
    read = read_toml(text)

    assert (read.problems == ()) == (_valid(text) is not None)
    assert read.problems or read.values == _valid(text)
    for problem in read.problems:
        assert 1 <= problem.line <= 1 + text.count("\n")
        assert (problem.key + problem.reason + problem.hint).isprintable()


def _valid(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
