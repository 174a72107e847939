"""The report of an output folder: one HTML page to listen with, beside the audio.

`observer` keeps it up to date during runs; `folder` makes it of what stands in a folder, whoever
put it there. `template` holds the page itself, which is filled with data and needs no server.
"""
