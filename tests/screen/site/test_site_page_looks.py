"""The site's page on small screens, slow lines, old browsers, in every language and theme."""

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from bridgemgr.screen import site_pages
from bridgemgr.screen.site_assets import SiteAssets
from bridgemgr.screen.site_icon import png
from bridgemgr.screen.site_words import WORDS
from tests.screen.site.house import SiteHouse
from tests.screen.site.steps import Devices, count_heads, offline_ready, set_up

SCREEN = Path(site_pages.__file__).parent
SCRIPTS = sorted((SCREEN / "static_site").glob("*.js"))
STYLE = SCREEN / "static_site" / "site.css"
_FIRST_PAGE_BYTES = 50_000


async def test_the_first_page_is_small_and_comes_over_a_slow_line(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        protocol = await context.new_cdp_session(page)
        await protocol.send("Network.enable")
        sizes: list[int] = []
        protocol.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        line = {"offline": False, "latency": 400, "downloadThroughput": 8_000, "uploadThroughput": 2_000}
        await protocol.send("Network.emulateNetworkConditions", line)
        await page.goto(f"{house.url}/s/?lang=vi")
        await expect(page.locator("#setup")).to_be_visible(timeout=20_000)
        total = round(sum(sizes))  # heads and bodies as they came over the wire
        print(f"the first page: {total:,} bytes in {len(sizes)} answers")
        assert 15_000 < total < _FIRST_PAGE_BYTES
        await page.locator("#code").fill(await house.code())
        await page.locator("#set-up").click()
        await expect(page.locator("#conference")).to_be_visible(timeout=20_000)
        await page.locator("#send-ready").click()
        await expect(page.locator("#ready-proof")).to_contain_text("trung tâm nhận", timeout=20_000)


async def test_comments_stay_at_home_and_all_else_goes_out(house: SiteHouse) -> None:
    """What is left of a file are its own lines in their order."""
    assets = SiteAssets()
    async with house.served(), aiohttp.ClientSession() as session:
        for path in (*SCRIPTS, STYLE):
            if path.name == "sw.js":
                continue
            async with session.get(f"{house.url}{assets.address(path.name)}", ssl=False) as reply:
                sent = (await reply.text()).split("\n")
            rest = iter(path.read_text().split("\n"))
            assert all(line in rest for line in sent), path.name
            assert not [line for line in sent if re.match(r" *(//|/\*| \* )", line)], path.name
            code = [line for line in path.read_text().split("\n") if re.match(r" *[\w.#}\[:]", line)]
            assert len(sent) >= len(code) - 3, f"{path.name} lost more than its comments"


async def furnished(page: Page, house: SiteHouse, language: str) -> None:
    """A page with something of everything on it, its foldings open."""
    await set_up(page, house, language=language)
    await page.evaluate("location.hash = 'c=hn-01&d=4'")
    await page.locator("#send-ready").click()
    await page.locator("#line-picture [data-works=true]").click()
    await page.locator("#line-backup [data-works=none]").click()
    await count_heads(page, 41)
    await expect(page.locator("#headcount-proof.good")).to_be_visible()
    for fold in await page.locator("details:not(#line) > summary").all():
        await fold.click()


@pytest.mark.parametrize("language", ["vi", "ur"])
async def test_nothing_sticks_out_of_a_narrow_screen(house: SiteHouse, device: Devices, language: str) -> None:
    async with device(viewport={"width": 320, "height": 640}) as context, house.served():
        page = context.pages[0]
        await furnished(page, house, language)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        sticking = await page.evaluate(
            "Array.from(document.querySelectorAll('main *')).filter((e) => { const b = e.getBoundingClientRect();"
            " return b.width > 0 && (b.left < -1 || b.right > 321); }).map((e) => e.outerHTML.slice(0, 80))"
        )
        assert sticking == []
        small = await page.evaluate(
            "Array.from(document.querySelectorAll('a, button, input, select, summary'))"
            ".filter((e) => e.offsetParent !== null && !e.classList.contains('skip'))"
            ".map((e) => [e.outerHTML.slice(0, 60), e.getBoundingClientRect().height])"
            ".filter((pair) => pair[1] < 44)"
        )
        assert small == []


async def test_urdu_mirrors_the_page_and_not_the_numbers(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await furnished(page, house, "ur")
        tick = await page.locator(".tick").first.bounding_box()
        select = await page.locator("#names select").first.bounding_box()
        less, more = await page.locator("#less").bounding_box(), await page.locator("#more").bounding_box()
        assert tick is not None and select is not None and less is not None and more is not None
        assert tick["x"] > select["x"]
        assert less["x"] < more["x"]
        assert re.search(r"\d\d:\d\d:\d\d", await page.locator("#ready-proof").inner_text())
        assert await page.locator("#help-lines .button bdi").evaluate("e => getComputedStyle(e).direction") == "ltr"


_FLAWS = """() => {
  const flaws = [];
  const seen = new Set();
  document.querySelectorAll('[id]').forEach((e) => {
    if (seen.has(e.id)) flaws.push('twice: ' + e.id);
    seen.add(e.id);
  });
  document.querySelectorAll('[aria-labelledby], [aria-describedby]').forEach((e) => {
    ['aria-labelledby', 'aria-describedby'].forEach((name) => {
      (e.getAttribute(name) || '').split(' ').filter(Boolean).forEach((id) => {
        if (!document.getElementById(id)) flaws.push(name + ' to nothing: ' + id);
      });
    });
  });
  document.querySelectorAll('a, button, input, select').forEach((e) => {
    if (e.offsetParent === null) return;
    const by = e.getAttribute('aria-labelledby');
    const label = e.closest('label') || (by && document.getElementById(by));
    const name = e.getAttribute('aria-label') || (label && label.textContent) || e.textContent;
    if (!name.trim()) flaws.push('nameless: ' + e.outerHTML.slice(0, 80));
  });
  const levels = Array.from(document.querySelectorAll('h1, h2, h3')).filter((e) => e.offsetParent !== null);
  if (levels.filter((e) => e.tagName === 'H1').length !== 1) flaws.push('not one h1');
  return flaws;
}"""

_FAINT = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4)));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (e.closest('script, select, .skip') || !walker.currentNode.data.trim() || e.offsetParent === null) continue;
    const [one, other] = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faint.push(walker.currentNode.data.trim().slice(0, 40) + ' ' + ratio.toFixed(2));
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_has_a_name_and_can_be_read(house: SiteHouse, device: Devices, scheme: Any) -> None:
    async with device(color_scheme=scheme) as context, house.served():
        page = context.pages[0]
        await furnished(page, house, "vi")
        assert await page.evaluate(_FLAWS) == []
        assert await page.evaluate(_FAINT) == []
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(245, 247, 249)", "dark": "rgb(16, 22, 29)"}[scheme]


async def test_the_keyboard_does_it_all(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.locator("#line summary")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Yes, it works").first).to_have_attribute("aria-pressed", "true")
        for _ in range(7):
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="We are ready")).to_be_focused()
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await page.keyboard.press("Enter")
        await expect(page.locator("#ready-proof")).to_contain_text("received by the centre")
        await page.locator("#number").focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#headcount-stands")).to_have_text("44 delegates checked in")


async def test_it_opens_without_a_network_in_the_language_read_last(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
            await page.get_by_role("link", name="اردو").click()
            await expect(page.locator("html")).to_have_attribute("dir", "rtl")
            await expect(page.locator("#conference")).to_be_visible()
        await page.goto(f"{house.url}/s/")
        await expect(page.locator("html")).to_have_attribute("lang", "ur")
        await page.get_by_role("link", name="Tiếng Việt").click()
        await expect(page.locator("html")).to_have_attribute("lang", "vi")
        await expect(page.get_by_role("button", name="Chúng tôi đã sẵn sàng")).to_be_visible()


async def test_it_can_be_installed_under_its_name(house: SiteHouse) -> None:
    async with house.served() as address, aiohttp.ClientSession() as session:
        for language, name in (("vi", "Điểm danh điểm cầu"), ("en", "Check-in of the site")):
            query = {"lang": language}
            async with session.get(f"{address}manifest.webmanifest", params=query, ssl=False) as answer:
                assert answer.content_type == "application/manifest+json"
                manifest = await answer.json(content_type=None)
            assert (manifest["name"], manifest["start_url"], manifest["scope"]) == (name, "/s/", "/s/")
        for icon in manifest["icons"]:
            async with session.get(f"{house.url}{icon['src']}", ssl=False) as answer:
                body = await answer.read()
            width, height = struct.unpack(">II", body[16:24])
            assert f"{width}x{height}" == icon["sizes"]
        async with session.get(f"{address}icons/7.png", ssl=False) as answer:
            assert answer.status == 404


def test_the_icon_is_a_white_tick_on_green() -> None:
    for maskable, corner in ((False, 0), (True, 255)):
        data = png(64, maskable=maskable)
        [start] = [match.start() for match in re.finditer(b"IDAT", data)]
        length = struct.unpack(">I", data[start - 4 : start])[0]
        rows = zlib.decompress(data[start + 4 : start + 4 + length])
        pixel = [rows[y * 257 + 1 + 4 * x :][:4] for y, x in ((0, 0), (10, 32), (44, 28))]
        assert pixel[0][3] == corner
        assert pixel[1] == bytes([0x1D, 0x7A, 0x4C, 255])
        assert min(pixel[2]) > 200 or maskable


_COMMENT_OR_TEXT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(=,:?&|!]\s)/(?![*/])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/[a-z]*|(?<=[(=,:?&|!])/(?![*/])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/[a-z]*""",
    re.DOTALL,
)
# What browsers of 2020 (Chrome 80, Firefox 72, Safari 13) cannot read, or do not have.
_TOO_NEW = {
    r"\?\.(?!\d)": "optional chaining (Safari 13.1)",
    r"\?\?": "nullish coalescing (Safari 13.1)",
    r"(\|\||&&|\?\?)=": "logical assignment",
    r"\bcatch\s*\{": "a catch without its error",
    r"#[a-z]\w*": "private fields",
    r"\bstatic\s*\{": "static blocks",
    r"\bclass\s+\w+\s*(?:extends|\{)": "classes, in which fields slip in easily",
    r"\d_\d": "numeric separators",
    r"\b\d+n\b": "big integers",
    r"\bimport\.meta\b": "import.meta",
    r"\.(at|replaceAll|flat|flatMap|findLast|matchAll|hasOwn|fromEntries|allSettled|any|toSorted)\(": "a new method",
    r"\.(replaceChildren|showModal|requestSubmit|randomUUID|checkVisibility|togglePopover)\b": "a new method",
    r"\b(structuredClone|queueMicrotask|WeakRef|BroadcastChannel|ResizeObserver|globalThis)\b": "a new object",
    r"AbortSignal\.(timeout|any)": "a new method",
    r"\.inert\b|\.locks\b": "a new property",
}


def bare(script: str) -> str:
    """A script without its comments, texts and regular expressions; the holes of template texts are left out too."""
    return _COMMENT_OR_TEXT.sub("''", script)


def too_new(script: str) -> list[str]:
    """What an old browser would stumble over, as far as tokens show it.

    Blind to what a method is called on, to names that are put together at run time, to semantics and to what
    a browser has but does wrong: an old browser stays the real test.
    """
    code = bare(script)
    found = [reason for pattern, reason in _TOO_NEW.items() if re.search(pattern, code)]
    if re.search(r"^(?:const \w+ = )?await\b", code, re.MULTILINE):
        found.append("await outside of a function")
    return found + ["lookbehind (Safari 16.4)" for _ in re.findall(r"\(\?<[=!]", script)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_for_browsers_of_2020(path: Path) -> None:
    assert too_new(path.read_text()) == []


@pytest.mark.parametrize(
    "script",
    [
        "a?.b",
        "a ?? b",
        "a ||= b",
        "try { f(); } catch { g(); }",
        "x.at(-1)",
        "await f();",
        "1_000",
        "/(?<=a)b/",
        "a\n#b",
    ],
)
def test_the_check_of_scripts_sees_what_is_too_new(script: str) -> None:
    assert too_new(script) != []


def test_the_check_of_scripts_minds_no_texts() -> None:
    assert too_new('f("a?.b ?? c"); // x.at(1)\n/* catch { */ g(a ? .5 : 1, /[?][.]/.test(b), `a ?? b`);') == []


def test_the_style_is_for_browsers_of_2020() -> None:
    style = re.sub(r"/\*.*?\*/", "", STYLE.read_text(), flags=re.DOTALL)
    pattern = (
        r":has\(|:is\(|:where\(|(?<![-\w])inset\s*:|aspect-ratio|clamp\(|\bmin\(|\bmax\(|accent-color|color-mix|@layer|@container"
        r"|(?:margin|padding)-(?:inline|block)\s*:|inset-(?:inline|block)|border-(?:start|end)-|\bdvh\b|\bsubgrid\b|&"
    )
    assert re.findall(pattern, style) == []
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
        assert "gap" not in body or "display: grid" in body, f"Safari 13 knows gaps in grids only: {selector.strip()}"
        assert "mask" not in body or "-webkit-mask" in body, selector


def test_every_text_of_the_scripts_is_written_and_used() -> None:
    source = "".join(path.read_text() for path in SCRIPTS)
    said = set(re.findall(r'"([a-z]\w*)"', source))
    states = {f"state_{word}" for word in ("in_person", "online", "excused", "absent", "left")}
    states |= {f"{part}_{fate}" for part in ("picture", "sound", "backup") for fate in ("works", "fails")}
    for key in WORDS:
        assert key in said | states or key.removesuffix("_one").removesuffix("_many") in said, (
            f"{key} is used by nothing"
        )
    for name in re.findall(r'\bsay\("(\w+)"', source):
        assert name in WORDS or name == "state_", name
    for name in re.findall(r'\bcount\("(\w+)"', source):
        assert {f"{name}_one", f"{name}_many"} <= set(WORDS), name
