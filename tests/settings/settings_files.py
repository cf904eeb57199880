"""Settings files for the tests: written, then loaded or refused."""

from pathlib import Path

import pytest

from bridgemgr.errors import Invalid
from bridgemgr.settings import Settings, load_settings

SECRET = "s3cret"
DSN = f"postgresql://bridge:{SECRET}@db1.example.org:5432,db2.example.org:5433/bridges"


def loaded(text: str | bytes, **environ: str) -> Settings:
    data = text.encode() if isinstance(text, str) else text
    Path("given.yaml").write_bytes(data)
    return load_settings(Path("given.yaml"), environ)


def refused(text: str | bytes, **environ: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        loaded(text, **environ)
    return [str(problem) for problem in caught.value.problems]
