"""The page of a report, in a real browser: what is seen, pressed, heard and exported."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audiogen_core.testing.encoders import tones
from audiogen_plugins.observers.report.folder import write_report
from audiogen_plugins.observers.report.measured import COLUMNS, Known, measure, state_of
from tests.browser import chromium, needs_chromium
from tests.conftest import Command
from tests.reports import RATE, metadata, sine, write_audio

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium

EVIL = "</script><script>document.title = 'pwned'</script><img src=x onerror=\"document.title=1\">"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 667}
MANY = 2000

CONTRAST = """(pairs) => {
  // Drawn, for colours may be computed in any notation.
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) =>
      one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\\)|\\/ 0\\)|transparent/.test(backgroundColor)) return backgroundColor;
    }
    return "white";
  };
  return pairs.map((selector) => {
    const element = document.querySelector(selector);
    const both = [getComputedStyle(element).color, ground(element)].map(light);
    return [selector, (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
  });
}"""
"""The contrast of texts with what is behind them, as WCAG 2 defines it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of the module."""
    with chromium() as found:
        yield found


@contextmanager
def opened(browser: Browser, page: Path, **context: Any) -> Iterator[Page]:
    """A page in a context of its own; errors and refused loads of it are the test's failures."""
    found = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **context})
    tab = found.new_page()
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]")
    yield tab
    assert told == []
    assert not [one for one in asked if not one.startswith(("file:", "data:", "blob:"))]
    found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five outputs that differ in everything, one of them without metadata, and one failure."""
    folder = tmp_path_factory.mktemp("five")
    contents = [
        ("rain on a roof", metadata("rain on a roof", 2**62 + 1, steps=50)),
        ("a bell #1", metadata("a bell", 2**62, steps=8, cfg_scale=7)),
        ("thunder", metadata("thunder, far away", 5, steps=100)),
        ("evil", metadata(EVIL, 12, sigma_min=0.5)),
    ]
    for number, (name, content) in enumerate(contents):
        path = write_audio(folder / name, tones(2 + number / 2), content)
        os.utime(path, ns=(number, number))
    stray = write_audio(folder / "stray", sine(440, 0.1, seconds=4), metadata())
    content = stray.read_bytes()
    stray.write_bytes(content[:4] + content[4:].replace(b"LIST", b"JUNK", 1))  # without its tags
    os.utime(stray, ns=(9, 9))
    failure = {
        "identity": "f", "name": "drone", "sample": "input.samples[9]", "seed": 3,
        "cause": "OutOfMemoryError: <b>no memory</b>", "conditioning": {"prompt": "a drone"},
    }  # fmt: skip
    (folder / "failures.jsonl").write_text(json.dumps(failure) + "\n")
    write_report(folder)
    return folder


@pytest.fixture
def tab(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page of that folder."""
    with opened(browser, folder / "report.html") as tab:
        yield tab


def shows(tab: Page, selector: str, text: str | re.Pattern[str]) -> None:
    """Waits until an element holds a text."""
    from playwright.sync_api import expect

    expect(tab.locator(selector)).to_have_text(text)


def titles(tab: Page) -> list[str]:
    """The outputs that are shown, in their order."""
    return tab.locator("#outputs .prompt").all_inner_texts()


ALL = ["rain on a roof", "a bell", "thunder, far away", EVIL, "stray.wav", "a drone"]


def test_it_shows_what_there_is(tab: Page) -> None:
    """Every output with its picture, settings and levels; a failure with its cause; all as text."""
    assert titles(tab) == ALL
    assert tab.inner_text("#summary") == "5 outputs · 1 failed · 15 s"
    first = tab.locator("#outputs li").first
    meta = f"seed {2**62 + 1} · euler · 50 steps · cfg 7.0 · wav"
    assert first.locator(".meta").inner_text() == meta
    assert "LUFS" in first.locator(".levels").inner_text()
    width = first.locator("img").evaluate("async (one) => (await one.decode(), one.naturalWidth)")
    assert width == COLUMNS
    assert len(first.locator(".wave path").get_attribute("d") or "") > 500
    failed = tab.locator("#outputs li.failed")
    assert failed.locator(".meta").inner_text() == "failed: OutOfMemoryError: <b>no memory</b>"
    assert failed.locator(".play").is_disabled()
    assert "five" in tab.title()
    assert tab.locator("#outputs img").count() == len(ALL)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("rain", [0]), ("RAIN roof", [0]), ("bell rain", []), (str(2**62), [1]), ("seed:5", [2]),
        ("steps:8", [1, 3]), ("cfg_scale:7", [0, 1, 2, 3]), ("steps:8 bell", [1]),
        ('"far away"', [2]), ('prompt:"a bell"', [1]), ("sigma_min:0.50", [3]), ("memory", [5]),
        ("</script>", [3]), ("stray", [4]), ("file:stray.wav", [4]),
    ],
)  # fmt: skip
def test_search(query: str, wanted: list[int], tab: Page) -> None:
    """All words have to be there; ``key:value`` is a setting's value, and 7 is 7.0."""
    tab.fill("#query", query)
    shows(tab, "#shown", f"{len(wanted)} of 6 results")
    assert titles(tab) == [ALL[one] for one in wanted]
    assert tab.locator("#nothing").is_visible() == (not wanted)
    if not wanted:
        tab.click("#clear")
        assert titles(tab) == ALL


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("order", [0, 1, 2, 3, 4, 5]), ("prompt", [3, 1, 5, 0, 2, 4]),
        ("steps", [1, 3, 0, 2, 4, 5]),
        # The two large seeds are one number in a double.
        ("seed", [5, 2, 3, 1, 0, 4]), ("seconds", [0, 1, 2, 3, 4, 5]), ("loudness", [4]),
        ("sigma_min", [0, 1, 2, 3, 4, 5]),
    ],
)  # fmt: skip
def test_sort(key: str, wanted: list[int], tab: Page) -> None:
    """By prompt, seed, levels and every setting that differs; what has no value comes last."""
    tab.select_option("#sort", key)
    assert titles(tab)[: len(wanted)] == [ALL[one] for one in wanted]
    tab.click("#direction")
    assert titles(tab)[::-1][: len(wanted)] == [ALL[one] for one in wanted]


def test_filter(tab: Page) -> None:
    """Settings that differ have a list of their values; kinds can be chosen."""
    tab.click("#filters summary")
    keys = tab.locator("#facets select").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    assert set(keys) == {"steps", "sigma_min", "cfg_scale"}
    tab.select_option("[data-key=steps]", "8")
    assert titles(tab) == ["a bell", EVIL]
    tab.select_option("[data-key=sigma_min]", "0.5")
    assert titles(tab) == [EVIL]
    assert tab.inner_text("#active") == " (2)"
    tab.select_option("[data-key=steps]", "")
    tab.select_option("[data-key=sigma_min]", "")
    tab.get_by_label("Failed").check(force=True)
    assert titles(tab) == ["a drone"]
    tab.get_by_label("Marked", exact=True).check(force=True)
    assert titles(tab) == []


def test_keys(tab: Page) -> None:
    """J, K, Space, M, /, E, T and Escape; letters that are typed are letters."""
    current = tab.locator("#outputs li[aria-current] .prompt")
    for key, wanted in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0)):
        tab.keyboard.press(key)
        assert current.inner_text() == ALL[wanted]
        assert tab.inner_text("#now-title") == ALL[wanted]
    tab.keyboard.press("m")
    assert tab.inner_text("#marked") == "1"
    tab.keyboard.press("/")
    tab.keyboard.type("j m t")
    assert tab.input_value("#query") == "j m t"
    assert tab.inner_text("#marked") == "1"
    tab.fill("#query", "")
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    assert current.inner_text() == ALL[1]
    tab.keyboard.press("e")
    assert tab.locator("#exporter").is_visible()
    tab.keyboard.press("Escape")
    assert not tab.locator("#exporter").is_visible()
    keys = tab.locator(".keys kbd").all_inner_texts()
    assert keys == ["J", "K", "Space", "M", "/", "E", "T"]


def test_keys_come_before_the_list_is_drawn(tab: Page) -> None:
    """A key that follows a letter at once moves through what that letter leaves."""
    now = tab.evaluate("""() => {
      const query = document.getElementById("query");
      query.value = "thunder";
      query.dispatchEvent(new InputEvent("input"));
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
      return document.getElementById("now-title").textContent;
    }""")
    assert now == "thunder, far away"
    assert titles(tab) == ["thunder, far away"]


def test_playing(browser: Browser, tmp_path: Path) -> None:
    """Space plays and pauses; the next one goes on playing; at its end the one after it."""
    for number, name in enumerate(("one", "two", "three")):
        # So long that none ends by itself, however slow the machine is.
        path = write_audio(tmp_path / name, sine(440, 0.1, seconds=60), metadata(name))
        os.utime(path, ns=(number, number))
    with opened(browser, write_report(tmp_path)) as tab:
        tab.keyboard.press(" ")
        shows(tab, "#time", re.compile(r"^0:(?!00\.0 )"))
        tab.wait_for_selector("#outputs li:first-child .play[aria-label='Pause: one']")
        tab.check("#on")
        tab.locator("#seek").fill("995")
        shows(tab, "#now-title", "two")
        tab.wait_for_selector("#play[aria-label=Pause]")
        tab.locator("body").press("j")
        shows(tab, "#now-title", "three")
        tab.wait_for_selector("#play[aria-label=Pause]")
        tab.click("#play")
        tab.wait_for_selector("#play[aria-label=Play]")
        tab.locator("#seek").fill("500")
        assert tab.inner_text("#time") == "0:30.0 / 1:00.0"
        tab.locator("#outputs li").nth(1).locator(".play").click()
        assert tab.inner_text("#now-title") == "two"


def test_a_file_that_is_gone_is_told(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """The page alone, without its audio, says so instead of playing nothing."""
    (tmp_path / "report.html").write_bytes((folder / "report.html").read_bytes())
    found = browser.new_page()
    found.goto((tmp_path / "report.html").as_uri())
    found.keyboard.press(" ")
    shows(found, "#trouble", re.compile("not beside"))
    found.close()


def test_marks_are_kept(browser: Browser, folder: Path, tab: Page) -> None:
    """They outlast the page, and a failure cannot be marked."""
    tab.locator("#outputs li").nth(1).locator(".mark").click()
    tab.locator("#outputs li").nth(3).locator(".mark").click()
    assert tab.locator("#outputs li.failed .mark").is_disabled()
    tab.reload()
    tab.wait_for_selector("html[data-ready]")
    assert tab.inner_text("#marked") == "2"
    tab.get_by_label("Marked", exact=True).check(force=True)
    assert titles(tab) == [ALL[1], ALL[3]]
    tab.locator("#outputs li").first.locator(".mark").click()
    assert tab.inner_text("#marked") == "1"


def test_without_a_store_the_page_works(browser: Browser, folder: Path) -> None:
    """Where the browser keeps nothing for files, marks hold as long as the page, which says so."""
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    found = context.new_page()
    found.goto((folder / "report.html").as_uri())
    found.keyboard.press("j")
    found.keyboard.press("m")
    found.keyboard.press("e")
    assert "keeps no marks" in found.inner_text("#export-note")
    assert found.input_value("#export-text") == "rain on a roof.wav\n"
    context.close()


def saved(tab: Page, form: str) -> tuple[str, str]:
    """The name and the content of the file that an export saves."""
    tab.keyboard.press("e")
    tab.check(f"[name=form][value={form}]")
    with tab.expect_download() as download:
        tab.click("#save")
    path = download.value.path()
    tab.keyboard.press("Escape")
    return download.value.suggested_filename, path.read_text("utf-8")


def mark(tab: Page, *positions: int) -> None:
    """Marks outputs."""
    for position in positions:
        tab.locator("#outputs li").nth(position).locator(".mark").click()


def test_the_list_of_the_marked(tab: Page) -> None:
    """A file name a line, in the order in which they were made."""
    mark(tab, 4, 1)
    assert saved(tab, "list") == ("marked.txt", "a bell #1.wav\nstray.wav\n")


def test_configs_of_the_marked(tab: Page, audiogen: Command, tmp_path: Path) -> None:
    """Numbers are as they were, however large; what cannot share a config gets one of its own."""
    mark(tab, 0, 1, 3, 4)
    name, text = saved(tab, "again")
    assert name == "marked-1.json"
    assert f'"cfg_scale": 7.0, "seed": {2**62 + 1}' in text
    assert f'"cfg_scale": 7, "seed": {2**62}' in text
    tab.keyboard.press("e")
    note = tab.inner_text("#export-note")
    assert "Left out" in note
    assert "1 output" in note
    command = "audiogen generate --pretrained-name somebody/some-model --revision abc"
    assert tab.inner_text("#export-command") == (
        f"{command} --max-batch 1 --generation-config marked-1.json"
    )
    tab.select_option("#which", index=1)
    other = json.loads(tab.input_value("#export-text"))
    assert other["input"]["samples"][0]["prompt"] == EVIL
    assert other["generation"]["sigma_min"] == 0.5
    tab.keyboard.press("Escape")
    tab.fill("#query", "sigma_min:0.01")
    mark(tab, 0)
    tab.keyboard.press("Escape")
    _, varied = saved(tab, "vary")
    for content in (text, json.dumps(other), varied):
        (tmp_path / "config.json").write_text(content, "utf-8")
        result = audiogen("config", "validate", tmp_path / "config.json")
        assert result.code == 0, result.err
    found = json.loads(varied)
    assert (found["generation"]["batch_size"], found["generation"]["seed"]) == (4, -1)
    assert all("seed" not in one for one in found["input"]["samples"])


@pytest.mark.slow
def test_what_is_marked_is_made_again(
    browser: Browser, audiogen: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported config and command make the same bytes with the default model; others vary."""
    monkeypatch.chdir(tmp_path)
    samples = [
        {"prompt": "a punchy kick drum", "seconds_total": 1, "cfg_scale": 3.0},
        {"prompt": "rain", "seed": 2**53 + 1, "negative_prompt": "wind"},
    ]
    config = {
        "generation": {"steps": 2, "seed": 5},
        "conditioning_defaults": {"seconds_start": 0, "seconds_total": 0.5},
        "input": {"type": "config", "samples": samples},
        "output": {
            "output_dir": "first", "report": True, "file_format": "flac",
            "post_processing": ["trim", {"name": "peak", "level": -3}],
        },
    }  # fmt: skip
    Path("first.json").write_text(json.dumps(config))
    result = audiogen("generate", "--generation-config", "first.json", "--max-batch", "1")
    assert result.code == 0, result.err
    with opened(browser, tmp_path / "first" / "report.html") as tab:
        tab.fill("#query", "rain")
        shows(tab, "#shown", "1 of 2 results")
        mark(tab, 0)
        tab.locator("#query").press("Escape")
        name, again = saved(tab, "again")
        _, vary = saved(tab, "vary")
        tab.keyboard.press("e")
        tab.check("[value=again]")
        command = tab.inner_text("#export-command").split()
    Path(name).write_text(again, "utf-8")
    assert command[0] == "audiogen"
    assert audiogen("config", "validate", name).code == 0
    result = audiogen(*command[1:])
    assert result.code == 0, result.err
    [made] = Path("marked-outputs").glob("*.flac")
    wanted = [path for path in Path("first").glob("*.flac") if path.name.startswith("rain")]
    assert [made.read_bytes()] == [path.read_bytes() for path in wanted]
    Path("vary.json").write_text(vary, "utf-8")
    result = audiogen("generate", "--generation-config", "vary.json")
    assert result.code == 0, result.err
    varied = {path.read_bytes() for path in Path("marked-variations").glob("*.flac")}
    assert len(varied) == 4
    assert made.read_bytes() not in varied


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours(system: Any, browser: Browser, folder: Path) -> None:
    """They follow the system until somebody chooses, which is kept; texts can be read in both."""
    other = {"light": "dark", "dark": "light"}[system]
    ground = "getComputedStyle(document.body).backgroundColor"
    texts = ["h1", "#summary", "#export", ".prompt", ".meta", ".failed .meta", ".levels span",
             "#time", "dt", "dd", ".keys", "#shown", "[name=kind]:checked + span"]  # fmt: skip
    with opened(browser, folder / "report.html", color_scheme=system) as tab:
        tab.keyboard.press("j")
        before = tab.evaluate(ground)
        for scheme in (system, other):
            assert tab.get_attribute("html", "data-theme") == scheme
            for selector, ratio in tab.evaluate(CONTRAST, texts):
                assert ratio >= 4.5, f"{selector}: {ratio:.2f} in {scheme}"
            tab.keyboard.press("t")
        assert tab.evaluate(ground) == before
        tab.click("#theme")
        tab.reload()
        assert tab.get_attribute("html", "data-theme") == other
        assert tab.get_attribute("#theme", "aria-pressed") == str(other == "dark").lower()


def check_fit(tab: Page, width: int) -> None:
    """Nothing is wider than the window, and no button beyond its edges."""
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for button in tab.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        name = button.get_attribute("aria-label") or button.inner_text()
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= width, name


@pytest.mark.parametrize("width", [320, 375, 390, 700, 1099, 1100])
def test_it_fits_any_width(width: int, browser: Browser, folder: Path) -> None:
    """Nothing has to be scrolled sideways, and the buttons are in the window."""
    viewport = {"width": width, "height": 667}
    with opened(browser, folder / "report.html", viewport=viewport) as tab:
        tab.keyboard.press("j")
        check_fit(tab, width)
        if width < 1100:
            tab.click("#more")
            assert tab.locator("#facts").is_visible()
            check_fit(tab, width)
        tab.keyboard.press("e")
        box = tab.locator("#exporter").bounding_box()
        assert box is not None
        assert box["width"] <= width


def test_it_can_be_used_without_seeing_it(tab: Page) -> None:
    """Every control has a name, every row its place, and the keys of the system reach them."""
    tab.keyboard.press("j")
    for one in tab.locator("button, input, select, textarea").all():
        name = "one.ariaLabel || one.labels?.[0]?.textContent || one.textContent"
        assert one.evaluate(f"(one) => {name}").strip(), one.evaluate("(one) => one.outerHTML")
    row = tab.locator("#outputs li").nth(1)
    assert row.get_attribute("aria-posinset") == "2"
    assert row.get_attribute("aria-setsize") == str(len(ALL))
    row.locator(".choose").focus()
    tab.keyboard.press("Enter")
    assert row.get_attribute("aria-current") == "true"
    tab.keyboard.press("j")
    focused = "document.activeElement.closest('li')?.ariaPosInSet"
    assert tab.evaluate(focused) == "3"


def test_thousands_are_shown_at_once(
    browser: Browser, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Of 2,000 outputs only those in the window are in the page, which is ready soon."""
    one = measure(tones(1), RATE)
    known: Known = {}
    for number in range(MANY):
        path = tmp_path / f"{number:04}.wav"
        path.write_bytes(b"RIFF")
        path.with_suffix(".json").write_text(json.dumps(metadata(f"take {number}", number)))
        os.utime(path, ns=(number, number))
        known[state_of(path)] = replace(one, peak=-number / 100)
    page = write_report(tmp_path, known)
    assert page.stat().st_size < 5000 * MANY
    with opened(browser, page) as tab:
        ready = int(tab.get_attribute("html", "data-ready") or "")
        record_property("milliseconds to ready", ready)
        assert ready < 60_000
        assert tab.inner_text("#shown") == "All 2,000 results"
        assert tab.evaluate("document.querySelectorAll('*').length") < 1000
        tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        shows(tab, "#outputs li:last-child .prompt", "take 1999")
        assert tab.locator("#outputs li").count() < 40
        tab.fill("#query", '"take 77"')
        shows(tab, "#shown", "11 of 2,000 results")
        tab.fill("#query", "")
        tab.locator("#query").press("Escape")
        shows(tab, "#shown", "All 2,000 results")
        tab.select_option("#sort", "peak")
        assert tab.locator("#outputs .prompt").first.inner_text() == "take 1999"
        for _ in range(30):
            tab.keyboard.press("j")
        assert tab.inner_text("#now-title") == "take 1970"
        assert tab.locator("#outputs li[aria-current]").count() == 1
        inside = """() => {
          const row = document.querySelector("#outputs li[aria-current]").getBoundingClientRect();
          return row.top >= document.querySelector("header").getBoundingClientRect().bottom
            && row.bottom <= innerHeight;
        }"""
        assert tab.evaluate(inside)
