"""The report in a browser: Chromium, headless, at the width of a phone and of a desk, light and dark.

The pages are set in a font of matplotlib's, so that the fonts of the machine do not matter. DejaVu Sans is also wider
than what most systems have, so texts that fit here fit elsewhere.
"""

import base64
import json
import re
import shutil
from html import unescape
from pathlib import Path

import matplotlib
import pytest

from babelbatch.report.page import write_report
from processes import finished
from run_folders import write_sweep

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OFFLINE = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
)  # fmt: skip
LEVELS = {
    0.0: {"crosslingual": 0.5, "rank_distance": 501.0},
    0.25: {"crosslingual": 0.45},
    0.5: {"crosslingual": 0.4},
    1.0: {"crosslingual": 0.1, "rank_distance": 22534.0},
}
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
FONT = """
<style>
@font-face {{ font-family: pinned; font-weight: 400; src: url(data:font/ttf;base64,{regular}); }}
@font-face {{ font-family: pinned; font-weight: 700; src: url(data:font/ttf;base64,{bold}); }}
* {{ font-family: pinned !important; }}
</style>"""
PROBE = """
<script>
const numbers = (colour) => {
  const found = colour.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
  const scaled = colour.startsWith("color(") ? [found[0] * 255, found[1] * 255, found[2] * 255, found[3]] : found;
  return [scaled[0], scaled[1], scaled[2], scaled[3] === undefined ? 1 : scaled[3]];
};
const luminance = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0) return colour;
  }
  return [255, 255, 255, 1];
};
const shown = (element) => element.checkVisibility() && getComputedStyle(element).position !== "absolute";
addEventListener("load", async () => {
  await document.fonts.ready;
  const sideways = [...document.querySelectorAll(".scroll")].filter(shown)
    .filter((region) => region.scrollWidth > region.clientWidth)
    .map((region) => region.closest(".wide") ? "wide: " + region.ariaLabel : region.ariaLabel);
  const hints = [...document.querySelectorAll(".hint")].filter(shown).length;
  const overfull = [];
  for (const cell of document.querySelectorAll("th, td")) {
    if (!cell.textContent.trim() || (cell.closest("thead") && !shown(cell.closest("thead")))) continue;
    const range = document.createRange();
    range.selectNodeContents(cell);
    const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
    if (text.left < box.left - 1 || text.right > box.right + 1) overfull.push(cell.textContent.trim());
  }
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.tagName === "SCRIPT") continue;
    const style = getComputedStyle(element);
    const ink = numbers(element.closest("svg") ? style.fill : style.color);
    const [light, dark] = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${element.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  const cut = [];
  const crossing = [];
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([text, place], number) => {
      if (place.left < box.left - 1 || place.right > box.right + 1 || place.bottom > box.bottom + 1) cut.push(text);
      for (const [other, there] of texts.slice(number + 1)) {
        const apart = place.right <= there.left || there.right <= place.left
          || place.bottom - 3 <= there.top || there.bottom - 3 <= place.top;
        if (!apart) crossing.push(`${text} / ${other}`);
      }
    });
  }
  const found = {
    width: innerWidth,
    content: document.documentElement.scrollWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    broken: [...document.images].filter((image) => !image.naturalWidth).length,
    charts: document.querySelectorAll("svg").length,
    smallest: Math.min(...[...document.querySelectorAll("svg text")]
      .map((text) => text.getScreenCTM().a * parseFloat(getComputedStyle(text).fontSize))),
    fonts: [...document.fonts].map((font) => font.status),
    sideways, hints, overfull, faint, cut, crossing,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
</body>"""
FRAME = """<!doctype html><html><head><meta name="color-scheme" content="light dark"></head><body>
<script>addEventListener("message", (message) => {{
  const probe = document.createElement("pre");
  probe.id = "probe";
  probe.textContent = message.data;
  document.body.append(probe);
}});</script>
<iframe src="probed.html" style="border: 0; width: {width}px; height: 900px"></iframe></body></html>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("browser")
    options = {"languages": LANGUAGES, "bias": True, "curves": True, "facts": {"languages/corpus": ["ar", "en"]}}
    write_sweep(place / "runs", LEVELS, seeds=2, benchmarks=("facts", "other"), **options)
    return write_report([place / "runs"], place / "report")


def looked_at(page: Path, width: int, dark: bool, place: Path) -> tuple[dict, list[str]]:
    """What a script finds in the opened page, and the lines of the browser's console.

    In a frame, because a window has a least width; in virtual time, because otherwise the page may be dumped before
    the frame answers.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH (Debian: apt-get install chromium)")
    regular, bold = (
        base64.b64encode((FONTS / name).read_bytes()).decode() for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    )
    font = FONT.format(regular=regular, bold=bold)
    copy = place / "probed.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", font + PROBE), encoding="utf-8")
    frame = place / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    done = finished(
        CHROMIUM, *OFFLINE, *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        f"--user-data-dir={place / 'profile'}", "--window-size=1400,1000", "--virtual-time-budget=10000",
        "--dump-dom", frame.as_uri(),
    )  # fmt: skip
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert found, f"the page did not load\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
    return json.loads(unescape(found[1])), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_whole_and_readable(page: Path, width: int, dark: bool, tmp_path: Path) -> None:
    found, console = looked_at(page, width, dark, tmp_path)
    assert console == []
    assert (found["dark"], found["broken"]) == (dark, 0)
    # Two learning curves, and on each of two benchmarks three pictures of the front, with legends.
    assert found["charts"] == 2 * 4 + (2 + 2 * 3) * (1 + len(LEVELS))
    assert set(found["fonts"]) == {"loaded"}
    assert found["width"] == width
    assert found["content"] <= width, "the page scrolls sideways"
    assert (found["faint"], found["cut"], found["crossing"], found["overfull"]) == ([], [], [], [])
    assert (found["sideways"], found["hints"]) == ([], 0)
    assert found["smallest"] >= 11


def test_a_map_of_many_languages_has_a_hint_on_a_phone(tmp_path: Path) -> None:
    languages = (*LANGUAGES, "bn", "fa", "fi", "fr", "id", "ja", "ko")
    write_sweep(tmp_path / "runs", {0.0: {}, 1.0: {}}, seeds=1, languages=languages)
    page = write_report([tmp_path / "runs"], tmp_path / "report")
    phone, _ = looked_at(page, 390, False, tmp_path)
    assert phone["sideways"] == ["wide: X-Y", "wide: X-X", "wide: X-Y minus X-X"]
    assert (phone["hints"], phone["content"], phone["overfull"]) == (3, 390, [])
    desk, _ = looked_at(page, 1280, False, tmp_path)
    assert (desk["sideways"], desk["hints"], desk["overfull"]) == ([], 0, [])


def test_the_probe_finds_every_fault(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><html><body><img src='missing.png' alt=''><p style='color:#ccc'>faint</p>"
        "<div style='width:2000px'>wide</div><script>console.error('oh no')</script>"
        "<svg width='50' height='40'><text x='0' y='15' font-size='10'>much too long for so little</text>"
        "<text x='5' y='15' font-size='10'>over it</text></svg>"
        "<table style='table-layout:fixed; width:40px'><tr><td>toolongforit</td></tr></table>"
        "<div class='scroll' aria-label='more' style='width:90px; overflow:auto'><div style='width:99px'>.</div></div>"
        "</body></html>",
        encoding="utf-8",
    )
    found, console = looked_at(bad, 1280, False, tmp_path)
    assert found["broken"] == 1
    assert found["content"] >= 2000
    assert found["faint"] == ["faint: 1.61"]
    assert found["cut"] == ["much too long for so little"]
    assert found["crossing"] == ["much too long for so little / over it"]
    assert found["overfull"] == ["toolongforit"]
    assert found["sideways"] == ["more"]
    assert found["smallest"] == 10
    assert any("oh no" in line for line in console)
