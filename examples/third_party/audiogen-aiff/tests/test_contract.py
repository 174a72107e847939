"""The contract checks of audiogen, run over this package's plugin."""

from audiogen_aiff.encoder import Aiff
from audiogen_core.testing.contracts import check


def test_it_keeps_the_contract() -> None:
    """It does what every encoder promises."""
    check("encoder", Aiff)
