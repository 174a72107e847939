"""``audiogen models``: which there are, what they are, getting them, and converting checkpoints."""

from __future__ import annotations

from audiogen_cli.help import App
from audiogen_cli.models import convert, listing, pull, show

app = App("List models, look at them, download them, and convert checkpoints.")
app.command("list")(listing.list_models)
app.command("show")(show.show_model)
app.command("pull")(pull.pull_model)
app.command("convert")(convert.convert_checkpoint)
