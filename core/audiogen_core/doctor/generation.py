"""The proof: the default model makes a sound, the whole way that ``audiogen generate`` goes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator

from audiogen_core.config import parse_config
from audiogen_core.default_model import NAME, DefaultSource
from audiogen_core.devices import choose_device
from audiogen_core.doctor.findings import Finding, ok, problem
from audiogen_core.pipeline import run
from audiogen_core.plugin_manager import installed_plugins
from audiogen_core.prepare import Request
from audiogen_core.registry import describe


def generation() -> Iterator[Finding]:
    """Generates one second in one step on the best device."""
    device = choose_device(None)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        data = {
            "generation": {"steps": 1, "seed": 1},
            "conditioning_defaults": {"seconds_start": 0, "seconds_total": 1},
            "input": {"type": "config", "samples": [{"prompt": "kick drum"}]},
            "output": {"output_dir": folder},
        }
        plugins = installed_plugins()
        try:
            outcome = run(Request(parse_config(data, plugins), DefaultSource(), device), plugins)
        except Exception as error:
            yield problem("default model", f"{NAME}: {describe(error)}")
            return
    seconds = time.monotonic() - began
    causes = [outcome.stopped, *(cause for _, cause in outcome.failures)]
    if found := [cause for cause in causes if cause is not None]:
        yield problem("default model", f"{NAME} makes no sound on {device.type}: {found[0]}")
    else:
        text = f"{NAME} is loaded and makes a sound on {device.type}, in {seconds:.1f} seconds"
        yield ok("default model", text, {"model": NAME, "device": device.type, "seconds": seconds})
