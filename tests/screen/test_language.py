"""Three complete languages, and colours that can be read."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from bridgemgr.screen import language
from bridgemgr.screen.language import LANGUAGES, load, negotiate

SCREEN = Path(language.__file__).parent
_METHODS = [("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
_FIELD = re.compile(r"{(\w+)}")


def used() -> set[str]:
    found = extract_from_dir(SCREEN, _METHODS, keywords={"_": None, "N_": None, "say": None})
    return {str(row[2]) for row in found}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_is_there_in_every_language_and_none_is_left_over(code: str) -> None:
    messages = load(SCREEN / "locale")[code]
    assert set(messages) == used()
    assert [key for key, text in messages.items() if not text.strip()] == []
    for key, text in messages.items():
        assert sorted(_FIELD.findall(key)) == sorted(_FIELD.findall(text)), key


def test_vietnamese_and_urdu_are_written_in_their_own_script() -> None:
    catalogues = load(SCREEN / "locale")
    for key, text in catalogues["ur"].items():
        assert re.search("[\u0600-\u06ff]", text), key
    same = {key for key, text in catalogues["vi"].items() if key == text}
    assert same == set()


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "got"),
    [
        (None, None, "", "vi"),
        (None, None, "fr, de;q=0.5", "vi"),
        (None, None, "en-GB, vi;q=0.9", "en"),
        (None, None, "en;q=0, ur;q=0.1", "ur"),
        (None, "ur", "en", "ur"),
        ("en", "ur", "vi", "en"),
        ("xx", "yy", "en;q=nonsense", "vi"),
    ],
)
def test_which_language_a_reader_gets(query: str | None, cookie: str | None, accept: str, got: str) -> None:
    assert negotiate(query, cookie, accept) == got


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_ink_can_be_read_on_every_ground_it_stands_on(theme: int) -> None:
    blocks = (SCREEN / "static" / "tokens.css").read_text().split(":root {")[1:]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[theme]))
    pairs = [(state, f"{state}-ground") for state in ("good", "calm", "warn", "bad", "none")]
    pairs += [(ink, ground) for ink in ("ink", "quiet", "link", "bad", "good", "calm") for ground in ("card", "ground")]
    pairs += [("button-ink", "button"), ("ink", "none-ground")]
    assert {pair: ratio for pair in pairs if (ratio := contrast(*(colours[name] for name in pair))) < 4.5} == {}
