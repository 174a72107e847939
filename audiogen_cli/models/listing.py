"""``audiogen models list``: the models that can be generated with."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from audiogen_cli.arguments import AsJson
from audiogen_core.terminal import fitted

if TYPE_CHECKING:
    from audiogen_core.models.catalog import ListedModel

COMMIT_WIDTH = 12


def list_models(
    as_json: AsJson = False,
) -> None:
    """List the default model, the models in the Hub's cache, and others that are known to work.

    The Hub is not asked. A model of the cache is incomplete without its weights.
    """
    from audiogen_core.models.catalog import listed_models

    models = list(listed_models())
    if as_json:
        rows = [asdict(one) for one in models]
        sys.stdout.write(json.dumps(rows, indent=2, default=str) + "\n")
    else:
        sys.stdout.write(fitted(_table(models), sys.stdout))


def _table(models: list[ListedModel]) -> str:
    from audiogen_core.sizes import size

    lines = [("NAME", "WHERE", "REVISION", "SIZE")]
    lines += [
        (
            one.name,
            str(one.where),
            (one.revision or "")[:COMMIT_WIDTH],
            "" if one.bytes is None else size(one.bytes),
        )
        for one in models
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )
