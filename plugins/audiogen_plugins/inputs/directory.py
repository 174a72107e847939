"""``directory``: every audio prompt of a folder, with every prompt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from audiogen_core.interfaces.input_source import InputSource, Sample
from audiogen_core.options import PluginOptions, UserPath
from audiogen_plugins.inputs import _lines
from audiogen_plugins.inputs.prompts_file import PromptsFile


class Directory(InputSource):
    """The ``.npy`` files of a folder, sorted by name, each with each of the prompts if any."""

    NAME = "directory"

    class Options(PluginOptions):
        """The keys of ``input`` for ``"type": "directory"``."""

        folder: UserPath = Field(
            min_length=1, description="Folder of .npy audio prompts.", examples=["audio_prompts"]
        )
        prompts: list[str] | None = Field(None, min_length=1, description="Prompts for each file.")
        prompts_file: UserPath | None = Field(
            None, min_length=1, description="UTF-8 text file of prompts for each file, one a line."
        )

        @model_validator(mode="after")
        def _one_source_of_prompts(self) -> Directory.Options:
            if self.prompts is not None and self.prompts_file is not None:
                raise ValueError("takes 'prompts' or 'prompts_file', not both")
            return self

    options: Options

    @classmethod
    def contract_example(cls, folder: Path) -> dict[str, Any]:
        """A folder with two files, and what is none or holds none."""
        for name in ("one", "two"):
            (folder / f"{name}.npy").write_bytes(b"")
        (folder / "empty").mkdir()
        missing = [folder / "nowhere", folder / "empty", folder / "one.npy"]
        return {
            "options": {"folder": str(folder), "prompts": ["rain", "wind"]},
            "missing": [{"folder": str(path)} for path in missing],
        }

    def samples(self) -> Iterator[Sample]:
        """Yields file after file, each with all prompts before the next.

        Raises:
            InputError: The folder or the prompts file cannot be read, or holds nothing.
        """
        for path in self._files():
            for prompt in self._prompts():
                where = ", ".join(filter(None, (str(path), prompt.where)))
                yield Sample({"audio_prompt": str(path), **prompt.values}, where)

    def _files(self) -> list[Path]:
        folder = self.options.folder
        try:
            files = [
                path
                for path in Path(folder).iterdir()
                # macOS leaves files like "._name.npy" on foreign disks.
                if path.suffix.lower() == ".npy" and path.name[0] != "." and path.is_file()
            ]
        except FileNotFoundError:
            raise _lines.problem("folder", f"folder '{folder}' does not exist") from None
        except NotADirectoryError:
            raise _lines.problem("folder", f"'{folder}' is a file, not a folder") from None
        except OSError as error:
            raise _lines.problem(
                "folder", f"folder '{folder}' cannot be read: {error.strerror}"
            ) from None
        if not files:
            raise _lines.problem("folder", f"folder '{folder}' holds no .npy file")
        return sorted(files)

    def _prompts(self) -> Iterator[Sample]:
        if self.options.prompts_file is not None:
            options = PromptsFile.Options(prompts_file=self.options.prompts_file)
            yield from PromptsFile(options).samples()
        elif self.options.prompts is not None:
            for index, prompt in enumerate(self.options.prompts):
                yield Sample({"prompt": prompt}, f"input.prompts[{index}]")
        else:
            yield Sample({}, "")
