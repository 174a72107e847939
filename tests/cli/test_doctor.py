"""``audiogen doctor``: each check really tries what it reports, and nothing takes it down."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from audiogen_core.doctor import examine
from audiogen_core.doctor.findings import Mark
from audiogen_core.plugin_manager import installed_plugins
from tests.conftest import Command, Result
from tests.hub_server import Hub

TOKEN = "hf_of_this_user"  # noqa: S105


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub that holds nothing."""
    with Hub() as hub:
        yield hub


@pytest.fixture
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is online, with an empty cache and nobody logged in."""
    home = tmp_path / "home"
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return home


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leaves the other checks out: they take their time."""
    checks = {name: examine.CHECKS[name] for name in names}
    monkeypatch.setattr(examine, "CHECKS", checks)


def findings(result: Result, section: str) -> dict[str, dict[str, Any]]:
    """The findings of one section by their names."""
    assert result.err == ""
    return {one["name"]: one for one in json.loads(result.out)["sections"][section]}


def marks(found: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> set[str]:
    """The marks of some findings."""
    return {found[name]["mark"] for name in names}


@pytest.mark.slow
def test_a_machine_that_works(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, hub: Hub, home: Path
) -> None:
    """Exit code 0, every section, every format tried, a sound made; the Hub is asked nothing."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    result = audiogen("doctor", "--json")
    assert result.code == 0, result.out
    report = json.loads(result.out)
    assert (report["works"], list(report["sections"])) == (True, list(examine.CHECKS))
    software = findings(result, "software")
    assert marks(software, ["python", "torch", "transformers", "av", "FFmpeg"]) == {"ok"}
    assert software["numpy"]["value"].count(".") == 2
    hardware = findings(result, "hardware")
    assert hardware["memory"]["value"]["free"] > 2**28
    assert hardware["cpu speed"]["value"]["float32"] > 0.01
    assert findings(result, "storage")["working directory"]["value"]["free"] > 0
    [(origin, plugins)] = findings(result, "plugins").items()
    assert origin.startswith("audiogen ")
    assert plugins["value"] == sum(len(one.names()) for one in installed_plugins().registries())
    formats = findings(result, "formats")
    assert list(formats) == installed_plugins().encoders.names()
    exact = [name for name in formats if "aac" not in name]
    assert marks(formats, exact) == {"ok"}
    assert "written and read again" in formats["mp3 v0"]["text"]
    sound = findings(result, "generating")["default model"]
    assert sound["mark"] == "ok"
    assert sound["value"]["seconds"] > 0
    login_found = findings(result, "hub")["login"]
    assert (login_found["text"], login_found["value"]) == ("with HF_TOKEN", True)
    assert TOKEN not in result.out
    assert hub.requests == []


def test_every_package_that_is_required_is_tried(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``pip install audiogen`` installs, to the last one."""
    only(monkeypatch, "software")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[><=]", one)[0] for one in project["dependencies"]}
    assert required <= set(findings(audiogen("doctor", "--json"), "software"))


def test_text_fits_a_terminal(audiogen: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks in words, 80 columns, no colours where nobody looks; HE-AAC says what would help."""
    only(monkeypatch, "formats")
    result = audiogen("doctor")
    assert result.code == 0
    title, *lines, verdict = result.out.splitlines()
    assert title == "Formats"
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.out
    assert any(line.split() == ["ok", "wav", *line.split()[2:]] for line in lines)
    [he_aac] = [line for line in lines if " m4a aac_he_v2 32k " in line]
    if he_aac.startswith("  warning"):
        assert "sudo apt install fdkaac" in result.out
        assert result.out.count("sudo apt install fdkaac") == 1
        assert "(as above)" in result.out
        assert verdict == "Generating works: 2 warnings."
    else:
        assert verdict == "Generating works: all ok."


def test_marks_have_colours_on_a_terminal(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a person looks, unless NO_COLOR is set; the words stay the same."""
    only(monkeypatch, "storage")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = audiogen("doctor").out
    assert "\x1b[32mok" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in audiogen("doctor").out


@pytest.mark.parametrize(
    ("module", "source", "section", "name", "text"),
    [
        ("torch", "raise OSError('libtorch.so')", "software", "torch", "OSError: libtorch.so"),
        ("av", "import os; os.abort()", "formats", "formats", "it was ended by SIGABRT"),
        ("av", "import os; os._exit(3)", "formats", "formats", "it ended with exit code 3"),
        ("torch", "import os; os.kill(os.getpid(), 9)", "generating", "generating", "SIGKILL"),
        ("torch", "raise OSError('no libtorch')", "hardware", "hardware", "OSError: no libtorch"),
    ],
)
def test_what_is_broken_is_a_line(
    audiogen: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: str,
    source: str,
    section: str,
    name: str,
    text: str,
) -> None:
    """A library that raises, crashes or ends the process is a problem, and the exit code 1."""
    (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    only(monkeypatch, section, "storage")
    result = audiogen("doctor", "--json")
    assert result.code == 1
    found = findings(result, section)[name]
    assert found["mark"] == "problem"
    assert text in found["text"]
    assert findings(result, "storage")["working directory"]["mark"] == "ok"


def test_what_hangs_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A check that does not come to its end is stopped; what it had found by then is kept."""
    code = (
        "import time\nfrom audiogen_core.doctor.findings import ok\n"
        "def check():\n    print('noise')\n    yield ok('first', 'fine')\n    time.sleep(600)\n"
    )
    (tmp_path / "slow_check.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(examine, "CHECKS", {"slow": "slow_check:check"})
    [section] = examine.examine(patience=20)
    first, last = section.findings
    assert (first.name, first.mark, section.works) == ("first", Mark.OK, False)
    assert last.text == (
        "this check could not be ended after 'first': it did not finish within 20 seconds"
    )


def test_broken_plugins_are_named(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A third party's is a warning with what helps; switched off, it is said to be."""
    (tmp_path / "odd.py").write_text("import no_such_module", encoding="utf-8")
    (tmp_path / "lazy.py").write_text(
        "from audiogen_core import hookimpl\n@hookimpl\ndef audiogen_encoders(register):\n"
        "    register('x', 'nowhere:X')\n",
        encoding="utf-8",
    )
    info = tmp_path / "odd_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[audiogen]\nodd = odd\nlazy = lazy\n")
    monkeypatch.syspath_prepend(tmp_path)
    only(monkeypatch, "plugins")
    result = audiogen("doctor", "--json")
    assert result.code == 0
    found = findings(result, "plugins")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in found["odd"]["text"]
    assert "No module named 'nowhere'" in found["x"]["text"]
    assert marks(found, ["odd", "x"]) == {"warning"}
    assert "AUDIOGEN_DISABLE_PLUGINS=odd-plugin" in found["odd"]["hint"]
    monkeypatch.setenv("AUDIOGEN_DISABLE_PLUGINS", "odd-plugin")
    disabled = findings(audiogen("doctor", "--json"), "plugins")
    assert disabled["odd"]["text"].endswith("is switched off")
    assert disabled["odd"]["mark"] == "ok"


def test_the_hub_is_asked_with_online(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, hub: Hub, home: Path
) -> None:
    """It says who is logged in; a Hub that cannot be reached is a warning, as the cache works."""
    only(monkeypatch, "hub")
    quiet = audiogen("doctor", "--json")
    assert "nobody is logged in" in findings(quiet, "hub")["login"]["text"]
    assert findings(quiet, "hub")["cache"]["value"] == {"folder": str(home / "hub"), "models": 0}
    assert hub.requests == []
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    online = audiogen("doctor", "--json", "--online")
    assert findings(online, "connection")["connection"]["text"] == f"{hub.url} knows you as ada"
    assert [one.token for one in hub.requests if one.path == "/api/whoami-v2"] == [TOKEN]
    hub.close()
    closed = audiogen("doctor", "--json", "--online")
    assert closed.code == 0
    assert findings(closed, "connection")["connection"]["mark"] == "warning"
    assert TOKEN not in closed.out + online.out


def test_a_cache_that_is_a_file_is_a_warning(
    audiogen: Command, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Generating works all the same, for models that are on this machine."""
    home.mkdir()
    (home / "hub").touch()
    only(monkeypatch, "hub")
    result = audiogen("doctor", "--json")
    assert result.code == 0
    found = findings(result, "hub")["cache"]
    assert (found["mark"], str(home / "hub") in found["text"]) == ("warning", True)
