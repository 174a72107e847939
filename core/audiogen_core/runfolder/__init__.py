"""What runs keep in their output folder, so that they can be ended at any time and go on later.

All of it stands in the hidden folder `HIDDEN`: the key that seeds are drawn from, a journal of each
process, and who works on what right now. No file there is ever changed, only made, appended to and
removed, so that no locks are needed, which some network file systems do not have.
"""

HIDDEN = ".audiogen"
"""The folder's name, in the output folder."""
