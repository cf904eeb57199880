"""Nothing is left half done, and the text speaks of the product alone."""

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, files

WORDS = [r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b", r"\braise NotImplementedError\b", r"(?<![\w-])shared/"]


def text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # a picture, a compiled catalogue, or a file that is meant to be broken


@pytest.mark.parametrize("word", WORDS)
def test_no_file_holds(word: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        if path != Path(__file__)
        for number, line in enumerate(text(path).splitlines(), 1)
        if re.search(word, line)
    ]
    assert found == []


def test_the_search_sees_the_whole_tree() -> None:
    seen = {path.relative_to(ROOT).parts[0] for path in files()}
    assert {".ci", "bridgemgr", "config", "tests", "Makefile", "pyproject.toml"} <= seen
