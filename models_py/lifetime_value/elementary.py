"""Exponential and logarithm in plain arithmetic, so that loops over draws become vector code.

Add here an elementary function that kernels call in an inner loop over draws.
Random variates are in `keyed_random`, formulas of the models in `expectations`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from models_py.lifetime_value.keyed_random import compiled

_LOG2_E = 1.0 / math.log(2.0)
# ln 2 in two parts: the first has zeros at its end, so that its product with a whole number of
# 11 bits is exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Adding it leaves a number's whole part in the last bits of the mantissa.
_ROUND = 1.5 * 2.0**52
_LOWEST, _HIGHEST = -708.0, 709.0
_ONE, _MANTISSA, _WHOLE = np.int64(1023), np.int64(2**52 - 1), np.int64(0x4330000000000000)
_HALF = np.int64(0x3FE0000000000000)
_BITS = np.int64(52)


@intrinsic
def _as_bits(context: Any, value: Any) -> Any:
    """The 64 bits of a float, as an integer."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
def _as_float(context: Any, value: Any) -> Any:
    """The float of 64 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), code


@compiled
def _reduced(x):  # type: ignore[no-untyped-def]
    """(2^n, e^r - 1) such that e^x = 2^n e^r, |r| <= ln(2) / 2."""
    x = min(max(x, _LOWEST), _HIGHEST)
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = 1.0 / 6227020800.0
    series = series * r + 1.0 / 479001600.0
    series = series * r + 1.0 / 39916800.0
    series = series * r + 1.0 / 3628800.0
    series = series * r + 1.0 / 362880.0
    series = series * r + 1.0 / 40320.0
    series = series * r + 1.0 / 5040.0
    series = series * r + 1.0 / 720.0
    series = series * r + 1.0 / 120.0
    series = series * r + 1.0 / 24.0
    series = series * r + 1.0 / 6.0
    series = series * r + 0.5
    power = _as_float((_as_bits(shifted) + _ONE) << _BITS)
    return power, series * r * r + r


@compiled
def exp(x):  # type: ignore[no-untyped-def]
    """e^x to 2 units in the last place; constant below -708 and above 709."""
    power, rest = _reduced(x)
    return power * rest + power


@compiled
def expm1(x):  # type: ignore[no-untyped-def]
    """e^x - 1, exact to rounding near 0 as well."""
    power, rest = _reduced(x)
    return power * rest + (power - 1.0)


@compiled
def log(x):  # type: ignore[no-untyped-def]
    """ln x of a normal positive number, to 2 units in the last place."""
    bits = _as_bits(x)
    exponent = _as_float(((bits >> _BITS) & np.int64(2047)) | _WHOLE) - (2.0**52 + 1022.0)
    mantissa = _as_float((bits & _MANTISSA) | _HALF)  # from 1/2 to 1
    low = mantissa < 0.70710678118654752
    mantissa = 2.0 * mantissa if low else mantissa
    exponent = exponent - 1.0 if low else exponent
    f = (mantissa - 1.0) / (mantissa + 1.0)
    g = f * f
    series = 1.0 / 23.0
    series = series * g + 1.0 / 21.0
    series = series * g + 1.0 / 19.0
    series = series * g + 1.0 / 17.0
    series = series * g + 1.0 / 15.0
    series = series * g + 1.0 / 13.0
    series = series * g + 1.0 / 11.0
    series = series * g + 1.0 / 9.0
    series = series * g + 1.0 / 7.0
    series = series * g + 1.0 / 5.0
    series = series * g + 1.0 / 3.0
    return exponent * _LN2_HIGH + (2.0 * f + (2.0 * f * g * series + exponent * _LN2_LOW))


@compiled
def log1p(x):  # type: ignore[no-untyped-def]
    """ln(1 + x) for x >= 0, exact to rounding near 0 as well."""
    total = 1.0 + x
    return log(total) + (x - (total - 1.0)) / total


@compiled
def cos_sin(turns):  # type: ignore[no-untyped-def]
    """Cosine and sine of 2 pi `turns`, `turns` in [0, 1], to 2e-16."""
    shifted = 4.0 * turns + _ROUND
    quarter = shifted - _ROUND
    f = (turns - 0.25 * quarter) * 6.28318530717958648
    g = f * f
    sine = -1.0 / 1307674368000.0
    sine = sine * g + 1.0 / 6227020800.0
    sine = sine * g - 1.0 / 39916800.0
    sine = sine * g + 1.0 / 362880.0
    sine = sine * g - 1.0 / 5040.0
    sine = sine * g + 1.0 / 120.0
    sine = sine * g - 1.0 / 6.0
    sine = sine * g * f + f
    cosine = 1.0 / 20922789888000.0
    cosine = cosine * g - 1.0 / 87178291200.0
    cosine = cosine * g + 1.0 / 479001600.0
    cosine = cosine * g - 1.0 / 3628800.0
    cosine = cosine * g + 1.0 / 40320.0
    cosine = cosine * g - 1.0 / 720.0
    cosine = cosine * g + 1.0 / 24.0
    cosine = (cosine * g - 0.5) * g + 1.0
    is_odd = (quarter == 1.0) | (quarter == 3.0)
    across, up = (sine, cosine) if is_odd else (cosine, sine)
    across = -across if (quarter == 1.0) | (quarter == 2.0) else across
    up = -up if (quarter == 2.0) | (quarter == 3.0) else up
    return across, up
