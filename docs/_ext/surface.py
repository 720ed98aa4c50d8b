"""What a user can say to Armillary, read from the program itself: every command with its options, every setting.

Two directives: ``command-line`` writes a section for each command, ``settings`` a list of the settings. Since they are
read from the code when the pages are built, nothing can be missing from them.
"""

import re

import typer.main
from docutils import nodes
from docutils.parsers.rst import Directive


def commands(command, path: str):
    """Pairs of (full name, command) of everything that can be run, in the order of ``--help``."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


def marked(text: str) -> list[nodes.Node]:
    """Inline nodes for a help text: `code` is literal."""
    return [
        nodes.literal(text=piece[1:-1]) if piece.startswith("`") else nodes.Text(piece)
        for piece in re.split(r"(`[^`]+`)", " ".join(text.replace("``", "`").split()))
        if piece
    ]


def definition(term: list[nodes.Node], body: list[nodes.Node]) -> nodes.definition_list_item:
    """One entry of a definition list."""
    meaning = nodes.definition("", nodes.paragraph("", "", *body))
    return nodes.definition_list_item("", nodes.term("", "", *term), meaning)


def option_entry(parameter, context) -> nodes.definition_list_item:
    """An option or argument: how it is written, what it does, its default."""
    if parameter.param_type_name == "argument":
        written = (parameter.metavar or parameter.name).upper()
    else:
        written = " / ".join([", ".join(parameter.opts), *parameter.secondary_opts])
        if not parameter.is_flag:
            written += f" {parameter.metavar or parameter.display_type(context)}"
    body = marked(getattr(parameter, "help", None) or "")
    default = parameter.default
    described = getattr(parameter, "show_default", None)
    if parameter.required:
        body.append(nodes.Text(" Required."))
    elif isinstance(described, str):
        body.append(nodes.Text(f" Default: {described}."))
    elif isinstance(default, int | float | str) and not isinstance(default, bool):
        body += [nodes.Text(" Default: "), nodes.literal(text=str(default)), nodes.Text(".")]
    return definition([nodes.literal(text=written)], body)


class CommandLine(Directive):
    """A section for each command of the ``armillary`` program."""

    def run(self):
        """Build the sections."""
        from armillary.cli.root import app

        sections = []
        for path, command in commands(typer.main.get_command(app), "armillary"):
            section = nodes.section(ids=[nodes.make_id(path)], names=[path])
            section += nodes.title("", "", nodes.literal(text=path))
            for paragraph in (command.help or "").strip().split("\n\n"):
                section += nodes.paragraph("", "", *marked(paragraph))
            context = command.context_class(command)
            entries = [option_entry(parameter, context) for parameter in command.params if parameter.name != "help"]
            section += nodes.definition_list("", *entries, classes=["simple"])
            sections.append(section)
        return sections


class SettingsList(Directive):
    """A list of the settings: key, environment variable, default, meaning."""

    def run(self):
        """Build the list."""
        from armillary.config import Settings

        entries = []
        prefix = Settings.model_config["env_prefix"]
        for name, field in Settings.model_fields.items():
            term = [nodes.literal(text=name), nodes.Text(", "), nodes.literal(text=f"{prefix}{name.upper()}")]
            body = marked(field.description or "")
            if field.default is not None:
                body += [nodes.Text(" Default: "), nodes.literal(text=str(field.default)), nodes.Text(".")]
            entries.append(definition(term, body))
        return [nodes.definition_list("", *entries, classes=["simple"])]


def setup(app):
    """Register both directives."""
    app.add_directive("command-line", CommandLine)
    app.add_directive("settings", SettingsList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
