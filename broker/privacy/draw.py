"""Drawing noise, by OpenDP's mechanisms from the system's own randomness."""

from __future__ import annotations

from collections.abc import Sequence

_SPARE = 1 + 1e-9  # so that rounding never makes the scale too small


def laplace(exact: Sequence[int] | Sequence[float], moved: float, epsilon: float) -> Sequence[int] | Sequence[float]:
    """These with noise: discrete Laplace for integers, Laplace for floats. `moved`: how far one unit moves them, in L1 norm."""
    import opendp.prelude as dp  # noqa: PLC0415 - a second and 50 MB, for those alone who use it

    dp.enable_features("contrib")
    integers = all(isinstance(value, int) for value in exact)
    domain = dp.atom_domain(T=int) if integers else dp.atom_domain(T=float, nan=False)
    of = int if integers else float
    space = dp.vector_domain(domain), dp.l1_distance(T=of)
    mechanism = dp.m.make_laplace(*space, scale=moved / epsilon * _SPARE)
    assert mechanism.map(of(moved)) <= epsilon  # type: ignore[no-untyped-call]  # OpenDP's own gap
    found: Sequence[int] | Sequence[float] = mechanism(list(exact))
    return found
