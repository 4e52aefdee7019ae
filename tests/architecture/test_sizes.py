"""A file or a function too long to read in one go does not land."""

import ast
import statistics
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
FILE_LIMIT, FUNCTION_LIMIT = 300, 40


def test_files_are_short() -> None:
    found = {
        str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines())
        for path in SOURCE.rglob("*.py")
    }
    deciles = statistics.quantiles(found.values(), n=10)
    sys.stdout.write(
        f"\n{len(found)} files, {sum(found.values())} lines: "
        f"median {statistics.median(found.values()):.0f}, p90 {deciles[-1]:.0f}\n"
    )
    assert not {name: length for name, length in found.items() if length > FILE_LIMIT}


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
