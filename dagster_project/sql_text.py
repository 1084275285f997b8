"""Names and texts as SQL writes them.

Add here how a value becomes SQL text, when several rooms write SQL in Python. What the SQL asks
stays out.
"""


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"
