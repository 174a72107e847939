"""The Fréchet distance between two sets of sounds (Kilgour et al. 2018, arXiv:1812.08466)."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Between the normal distributions that fit two sets of embeddings.

    Args:
        one: ``[sounds, dimensions]``; more sounds than dimensions make it meaningful.
        other: The same; the number of sounds may differ.
    """
    (mean_a, cov_a), (mean_b, cov_b) = map(_moments, (one, other))
    # The trace of the root of a product of covariances: its eigenvalues are real and positive.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(cov_a @ cov_b).real, 0)).sum()
    apart = ((mean_a - mean_b) ** 2).sum()
    return float(apart + np.trace(cov_a) + np.trace(cov_b) - 2 * roots)


def _moments(embeddings: Tensor) -> tuple[np.ndarray, np.ndarray]:
    values = embeddings.double().numpy()
    return values.mean(0), np.cov(values, rowvar=False)
