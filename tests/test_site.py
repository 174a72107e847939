"""The documentation site: it builds, and nothing on it leads nowhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from audiogen_core.plugin_manager import installed_plugins
from tests import docs_reference, test_docs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LOADS = {"script": "src", "img": "src", "source": "src", "audio": "src", "iframe": "src"}
"""What a browser fetches without being asked to, besides style sheets and icons."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a link, what is loaded, or an anchor."""
        found = {key: value for key, value in attrs if value is not None}
        self.anchors |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in LOADS and LOADS[tag] in found:
            self.loaded.append(found[LOADS[tag]])
        elif tag == "link" and found.get("rel") in {"stylesheet", "icon", "preload", "preconnect"}:
            self.loaded.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly from a copy of the pages."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    build = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of the site but the one for what is not found."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_is_in_the_navigation() -> None:
    """Each Markdown file of docs/ has its place in the navigation, once."""

    def files(entries: Any) -> list[str]:
        if isinstance(entries, str):
            return [entries]
        values = entries.values() if isinstance(entries, dict) else entries
        return [file for one in values for file in files(one)]

    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    there = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert sorted(files(config["project"]["nav"])) == there


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    """Every link within the site is to a file that there is, and to an anchor that is in it."""
    assert len(pages) == len(list(DOCS.rglob("*.md")))
    wrong = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lost = parts.fragment and unquote(parts.fragment) not in getattr(
                pages.get(target), "anchors", {unquote(parts.fragment)}
            )
            if not target.is_file() or not target.is_relative_to(site) or lost:
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert not wrong


def test_nothing_is_loaded_from_the_network(pages: dict[Path, Page]) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    for path, page in pages.items():
        assert page.loaded
        assert not [one for one in page.loaded if urlsplit(one).netloc], path


def test_search_knows_the_pages(site: Path) -> None:
    """The index that a browser searches holds what stands on the pages."""
    index = (site / "search.json").read_text(encoding="utf-8")
    for word in ("dpmpp-3m-sde", "audiogen again", "negative_prompt", "EncoderUnavailableError"):
        assert word in index


@pytest.mark.parametrize("name", docs_reference.PAGES)
def test_the_reference_is_up_to_date(name: str) -> None:
    """What docs/reference says is what the code says."""
    made = docs_reference.PAGES[name](installed_plugins())
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == made, (
        f"docs/reference/{name} is old; run python -m tests.docs_tables"
    )


def test_every_fence_is_a_block() -> None:
    """No fence is written in a way that the site takes for text."""
    for path in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        rest = re.sub(test_docs.FENCED, "", text, flags=re.DOTALL | re.MULTILINE)
        assert "```" not in rest, f'{path}: a block with a file begins ```language title="file"'


def test_links_to_headings_hold_on_github_too() -> None:
    """In the files themselves, a link to an anchor names a heading as GitHub does."""
    for path in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for file, fragment in re.findall(
            r"\]\(([^)#:\s]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")
        ):
            target = (path.parent / file).resolve() if file else path
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            known = {docs_reference.anchor(one) for one in headings}
            assert fragment in known, f"{path.relative_to(ROOT)}: no heading {file}#{fragment}"
