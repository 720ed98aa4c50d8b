"""Our docstrings as reStructuredText.

They have the sections of the NumPy form, but one line says what an array means, its unit and its shape
(``radius : (n,) Mpc/h``), where NumPy has a type. Sections of items become definition lists; an indented block is an
equation or a piece of code and is kept as it stands; bars are absolute values.
"""

import inspect
import re
from itertools import zip_longest

ITEM_SECTIONS = ("Attributes", "Parameters", "Other Parameters", "Returns", "Yields", "Raises", "Warns")
PROSE_SECTIONS = ("Notes", "Examples", "References", "See Also", "Warnings")


def sections(lines: list[str]) -> list[tuple[str | None, list[str]]]:
    """Split a docstring at its underlined headings; the first part has no heading."""
    parts: list[tuple[str | None, list[str]]] = [(None, [])]
    skip = False
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if skip:
            skip = False
        elif line in (*ITEM_SECTIONS, *PROSE_SECTIONS) and re.fullmatch("-{3,}", following.strip()):
            parts.append((line, []))
            skip = True
        else:
            parts[-1][1].append(line)
    return parts


def items(lines: list[str]) -> list[str]:
    """A definition list from ``name : meaning`` lines and the indented lines that go on with each."""
    out: list[str] = []
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if not line.strip() or line.startswith(" "):
            out.append(escape(line))
            continue
        name, _, meaning = line.partition(" : ")
        out += ["", f"``{name.strip()}``"]
        if meaning:
            # A short first line is a unit and a shape on their own; a long one goes on in the next.
            ends = len(line) < 80 and following[:4].isspace() and following.strip()[:1].isupper()
            out.append("    " + escape(meaning) + ("." if ends and meaning[-1] not in ".;:" else ""))
        elif not following.startswith("    "):
            out.append("    ..")
    return [*out, ""]


def prose(lines: list[str]) -> list[str]:
    """Paragraphs, with every indented block after a blank line made literal."""
    out: list[str] = []
    literal = False
    last = ""
    for line in lines:
        indented = line.startswith("    ")
        if line.strip() and not indented:
            literal = False
            last = line
        elif indented and not literal and out and not out[-1].strip() and not re.match(r"[-*>]|\.\.|\d+\.", last):
            literal = True
            if not last.endswith("::"):
                out += ["::", ""]
        out.append(line if literal or last.endswith("::") else escape(line))
    return out


def escape(line: str) -> str:
    """Bars and lone stars outside ``literals`` lose their meaning to the parser."""
    pieces = re.split(r"(``.*?``)", line)
    return "".join(p if p.startswith("``") else re.sub(r"\||\*(?=\w)(?!\w[^*]*\*)", r"\\\g<0>", p) for p in pieces)


def process(_app, _what, _name, _object, _options, lines):
    """Rewrite a docstring in place, for the event ``autodoc-process-docstring``."""
    out: list[str] = []
    for heading, body in sections(lines):
        if heading:
            out += ["", f".. rubric:: {heading}", ""]
        out += items(body) if heading in ITEM_SECTIONS else prose(body)
    lines[:] = out


def skip(_app, what, _name, member, skipped, _options):
    """Leave out an option whose default is a function: it is no method of the class."""
    return True if what == "class" and inspect.isfunction(member) and "." not in member.__qualname__ else skipped


def setup(app):
    """Connect to autodoc."""
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
