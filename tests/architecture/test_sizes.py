"""A file or a function too long to read in one go does not land."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
FILE_LIMIT, FUNCTION_LIMIT = 300, 40


def test_files_are_short() -> None:
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in SOURCE.rglob("*.py")}
    assert not {str(p): n for p, n in lengths.items() if n > FILE_LIMIT}


def test_functions_are_short() -> None:
    long = {
        f"{path.name}:{node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LIMIT
    }
    assert not long
