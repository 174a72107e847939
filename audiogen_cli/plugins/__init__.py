"""``audiogen plugins``: what is installed, how it is used, and packages of one's own."""

from __future__ import annotations

from audiogen_cli.help import App
from audiogen_cli.plugins import check, listing, new, show

app = App("Look at the installed plugins, check them, and start new ones.")
app.command("list")(listing.list_plugins)
app.command("show")(show.show_plugin)
app.command("check")(check.check_plugins)
app.command("new")(new.new_plugin)
