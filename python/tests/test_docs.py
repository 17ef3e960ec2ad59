"""The examples of docs/python.md run, one after another."""

import os
import re

import pytest

from conftest import REPOSITORY


def blocks():
    with open(os.path.join(REPOSITORY, "docs", "python.md")) as file:
        text = file.read()
    for match in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        yield text.count("\n", 0, match.start(1)), match.group(1)


def test_every_example_runs(tmp_path, monkeypatch, capsys):
    for library in ("pandas", "pyarrow", "duckdb"):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    names = {}
    examples = list(blocks())
    assert len(examples) >= 10
    for line, code in examples:
        # as many lines before it as in the file, so that a traceback shows where it is
        exec(compile("\n" * line + code, "docs/python.md", "exec"), names)
    assert "<Atlas demo.atlas: 200 items" in capsys.readouterr().out
