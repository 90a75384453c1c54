#!/usr/bin/env python3
"""Fails if a function's body is longer than 70 lines, from its `{` to its `}`.

A table of codes (one long `switch` or list) is excepted by the comment `// A table of codes.`
on the line above its signature. The parser is a plain one: it follows braces and knows namespaces,
classes, functions and constructors' initialisers; lambdas count with the function around them.
"""
import pathlib
import re
import sys

LINES_MAX = 70
MARKER = re.compile(r"//\s*A table of codes\.")
SKIPPED = ("build",)

TOKEN = re.compile(
    r"""(?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")"""
    r"""|(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<digits>\b\d[\w.]*(?:'\w+)*)|(?P<char>'(?:\\.|[^'\\\n])+')"""
    r"""|(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
NAMESPACE = re.compile(r'\bnamespace\b|\bextern\s*""')
TYPE = re.compile(r"\b(class|struct|union|enum)\b")
ASSIGNED = re.compile(r"(?<![=!<>+\-*/%&|^])=(?!=)")
# `Foo(int a) : a_` and `Foo(int a) : a_{}, b_`: what stands before a member's braces.
INITIALISER = re.compile(r"\)\s*(noexcept\s*(\([^()]*\)\s*)?)?:(?!:).*[\w>]\s*$", re.DOTALL)


def blank(text):
    """The same text with comments, strings and directives blanked out, every line kept."""

    def replacement(match):
        lines = "\n" * match.group(0).count("\n")
        if match.lastgroup == "digits" or match.group("digits"):
            return "0"
        return ('""' if match.group("string") or match.group("raw") else "") + lines

    return TOKEN.sub(replacement, text)


def without_parentheses(head):
    """head without what is in (): a default argument's `=` or `class` says nothing about it."""
    depth = 0
    kept = []
    for char in head:
        depth += char == "("
        if depth == 0:
            kept.append(char)
        depth -= char == ")"
    return "".join(kept)


def kind_of(head, outer):
    """What the `{` after head opens, inside a scope of kind outer."""
    if outer == "function":
        return "function"
    plain = without_parentheses(re.sub(r"\boperator\s*(\(\s*\)|[^\w\s(]+)", "operator ", head))
    if NAMESPACE.search(plain):
        return "namespace"
    if ASSIGNED.search(plain):
        return "value"
    if "(" in head:
        return "value" if INITIALISER.search(head) else "function"
    return "type" if TYPE.search(plain) else "value"


def functions(text):
    """Yields (line of the signature, line of `{`, line of `}`) of each outermost function body."""
    line = 1
    head, head_line = "", None
    scopes = []  # (kind, line of `{`, head before it, line of the head)
    for char in blank(text):
        if char == "\n":
            line += 1
        if char == "{":
            kind = kind_of(head, scopes[-1][0] if scopes else "namespace")
            scopes.append((kind, line, head, head_line or line))
            head, head_line = "", None
        elif char == "}" and scopes:
            kind, opened, before, before_line = scopes.pop()
            if kind == "function" and not (scopes and scopes[-1][0] == "function"):
                yield before_line, opened, line
            # A braced value is part of the statement that it stands in.
            head, head_line = (before + "}", before_line) if kind == "value" else ("", None)
        elif char == ";" and head.count("(") == head.count(")"):
            head, head_line = "", None
        elif not char.isspace() or head:
            head_line = head_line or line
            head += char


def check_text(path, text):
    """Returns the complaints about one file."""
    errors = []
    lines = text.splitlines()
    for signature, opened, closed in functions(text):
        length = closed - opened + 1
        above = lines[signature - 2] if signature >= 2 else ""
        if length > LINES_MAX and not MARKER.search(above):
            errors.append(f"{path}:{opened}: a function of {length} lines, at most {LINES_MAX}")
    return errors


def check_tree(root):
    errors = []
    for source in sorted(path for path in root.rglob("*") if path.suffix in (".h", ".cc")):
        parts = source.relative_to(root).parts
        if parts[0] in SKIPPED or any(part.startswith(".") for part in parts):
            continue
        errors += check_text("/".join(parts), source.read_text(errors="replace"))
    return errors


def main():
    default = pathlib.Path(__file__).resolve().parent.parent.parent
    errors = check_tree(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default)
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
