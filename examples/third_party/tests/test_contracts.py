"""The contract checks of audiogen, run over this package's plugins."""

from audiogen_example.aiff import Aiff
from audiogen_example.euler import Euler

from audiogen_core.testing.encoders import check_encoder
from audiogen_core.testing.samplers import check_sampler


def test_the_sampler_keeps_its_contract() -> None:
    """Order, determinism, independence and callbacks are right."""
    check_sampler(Euler)


def test_the_format_keeps_its_contract() -> None:
    """Files decode again to what went in."""
    check_encoder(Aiff)
