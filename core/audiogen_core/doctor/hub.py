"""The Hugging Face Hub: who is logged in, and what the local cache holds. It is asked nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from huggingface_hub import (
    CacheNotFound,
    HfApi,
    constants,
    get_session,
    get_token,
    scan_cache_dir,
)

from audiogen_core.doctor.findings import Finding, ok, warning
from audiogen_core.models.source import hub_quiet
from audiogen_core.registry import describe
from audiogen_core.sizes import size

LOGIN = "Models whose terms you accepted need a login: run 'hf auth login' or set HF_TOKEN."
PATIENCE = 10.0
"""Seconds that the Hub gets to answer."""


def hub() -> Iterator[Finding]:
    """Looks at this machine only: without a request to the Hub."""
    with hub_quiet():
        address = constants.ENDPOINT
        if constants.HF_HUB_OFFLINE:
            yield ok("address", f"{address}; HF_HUB_OFFLINE forbids to ask it", address)
        else:
            yield ok("address", address, address)
        yield _login()
        yield from _cache()


def hub_online() -> Iterator[Finding]:
    """Asks the Hub for the user's name, or for anything where nobody is logged in."""
    if constants.HF_HUB_OFFLINE:
        yield warning("connection", "not tried: HF_HUB_OFFLINE is set")
        return
    try:
        with hub_quiet():
            if get_token() is None:
                url = f"{constants.ENDPOINT}/api/models?limit=1"
                status = get_session().get(url, timeout=PATIENCE).status_code
                yield ok("connection", f"{constants.ENDPOINT} answers with HTTP {status}", status)
            else:
                name = str(HfApi().whoami()["name"])
                yield ok("connection", f"{constants.ENDPOINT} knows you as {name}", name)
    except Exception as error:  # of the network, of the server, of the client
        hint = "What the cache holds works without: HF_HUB_OFFLINE=1 does not even try."
        yield warning("connection", f"{constants.ENDPOINT}: {describe(error)}", hint)


def _login() -> Finding:
    if get_token() is None:
        return ok("login", f"nobody is logged in. {LOGIN}", value=False)
    source = "HF_TOKEN" if os.environ.get("HF_TOKEN") else f"the token in {constants.HF_TOKEN_PATH}"
    return ok("login", f"with {source}", value=True)


def _cache() -> Iterator[Finding]:
    folder = constants.HF_HUB_CACHE
    try:
        cache = scan_cache_dir()
    except CacheNotFound:
        yield ok("cache", f"{folder}: nothing is in it yet", {"folder": folder, "models": 0})
        return
    except (OSError, ValueError) as unreadable:
        yield warning(
            "cache", f"{folder}: {describe(unreadable)}", "HF_HUB_CACHE names another folder."
        )
        return
    count = sum(one.repo_type == "model" for one in cache.repos)
    text = f"{folder}: {count} model{'s' * (count != 1)}, {size(cache.size_on_disk)}"
    value = {"folder": folder, "models": count, "bytes": cache.size_on_disk}
    yield ok("cache", f"{text}; audiogen models list shows them", value)
    for error in cache.warnings:
        hint = "Remove the folder: what it held is downloaded again."
        yield warning("cache", f"damaged: {describe(error)}", hint)
