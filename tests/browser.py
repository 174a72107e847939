"""Chromium without a window, for tests of what people see and press."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (on Debian: apt-get install chromium)"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that sends every request that is not for a file into the void."""
    from playwright.sync_api import sync_playwright

    # As root, which continuous integration is, Chromium starts only without its sandbox.
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
