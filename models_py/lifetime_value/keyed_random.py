"""Random numbers keyed by customer: counter-based words and the variates made of them, compiled.

Add here a distribution that futures draw from.
What is drawn for a customer, and from which stream, is in `kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_KEY_STEP_0, _KEY_STEP_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_SHIFT, _LOW_BITS, _LOW = np.uint64(12), np.uint64(24), np.uint64(2**24 - 1)
# Wichura's coefficients for the centre, the sides and the tails: numerator and denominator of each,
# highest power first.
# fmt: off
_NORMAL = np.array([
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
    13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
    5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
    5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
    1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
    1.42343711074968357734, 1.05075007164441684324e-9, 5.475938084995344946e-4,
    0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455,
    1.6763848301838038494, 2.05319162663775882187, 1.0, 2.01033439929228813265e-7,
    2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
    0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
    2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
    7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
    0.59983220655588793769, 1.0,
]).reshape(3, 2, 8)
# fmt: on

OPTIONS = {"nogil": True, "error_model": "numpy"}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at first use; the code neither holds Python's lock nor raises on division by 0.

    Building blocks are not cached one by one: numba would not see that a block in another file has
    changed. `kernels` caches the whole.
    """
    return njit(**OPTIONS)(function)


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at first use and keep the code beside its source, else in the user's cache.

    Where neither can be written, each process compiles anew.
    """
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no place to keep code
        return njit(**OPTIONS)(function)


@intrinsic
def _high_product(context: Any, a: Any, b: Any) -> Any:
    """Upper 64 bits of the 128-bit product."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        left, right = (builder.zext(value, wide) for value in arguments)
        upper = builder.lshr(builder.mul(left, right), ir.Constant(wide, 64))
        return builder.trunc(upper, ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), code


@compiled
def words(key_0, key_1, block, stream, draw):  # type: ignore[no-untyped-def]
    """Four random 64-bit words of Philox4x64-10 at counter (block, stream, draw, 0).

    Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3". NumPy's
    `Philox(key=[key_0, key_1])` gives the same words at the same counter.
    """
    c0, c1, c2, c3 = np.uint64(block), np.uint64(stream), np.uint64(draw), np.uint64(0)
    k0, k1 = np.uint64(key_0), np.uint64(key_1)
    for _ in range(10):
        high_0, low_0 = _high_product(_MULTIPLIER_0, c0), _MULTIPLIER_0 * c0
        high_1, low_1 = _high_product(_MULTIPLIER_1, c2), _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + _KEY_STEP_0, k1 + _KEY_STEP_1
    return c0, c1, c2, c3


@compiled
def uniform(word):  # type: ignore[no-untyped-def]
    """A number in the open interval (0, 1), from the upper 52 bits: with 53 it rounds up to 1."""
    return (float(word >> _SHIFT) + 0.5) * 2.0**-52


@compiled
def _ratio(coefficients, r):  # type: ignore[no-untyped-def]
    upper, lower = coefficients[0, 0], coefficients[1, 0]
    for power in range(1, 8):
        upper = upper * r + coefficients[0, power]
        lower = lower * r + coefficients[1, power]
    return upper / lower


@compiled
def normal(chance):  # type: ignore[no-untyped-def]
    """Standard normal by inversion: Wichura (1988), algorithm AS 241, PPND16."""
    q = chance - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(_NORMAL[0], 0.180625 - q * q)
    r = math.sqrt(-math.log(0.5 - abs(q)))
    value = _ratio(_NORMAL[1], r - 1.6) if r <= 5.0 else _ratio(_NORMAL[2], r - 5.0)
    return math.copysign(value, q)


@compiled
def gamma_parts(key_0, key_1, stream, draw, shape):  # type: ignore[no-untyped-def]
    """(g, l) such that g e^l is Gamma(shape, 1): the factor e^l of a shape below 1 may underflow.

    Marsaglia & Tsang (2000), "A simple method for generating gamma variables".
    """
    boosted = shape if shape >= 1.0 else shape + 1.0
    d = boosted - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    log_boost = 0.0
    block = 0
    while True:
        w0, w1, w2, _ = words(key_0, key_1, block, stream, draw)
        if block == 0 and shape < 1.0:
            log_boost = math.log(uniform(w2)) / shape
        z = normal(uniform(w0))
        v = 1.0 + c * z
        if v > 0.0:
            v = v * v * v
            u = uniform(w1)
            if u < 1.0 - 0.0331 * z * z * z * z:  # spares the logarithms nearly always
                return d * v, log_boost
            limit = 0.5 * z * z + d * (1.0 - v + math.log(v))
            if math.log(u) < limit:
                return d * v, log_boost
        block += 1


@compiled
def gamma(key_0, key_1, stream, draw, shape):  # type: ignore[no-untyped-def]
    """Gamma(shape, 1)."""
    value, log_boost = gamma_parts(key_0, key_1, stream, draw, shape)
    return value if log_boost == 0.0 else value * math.exp(log_boost)


@compiled
def gamma_of(z, u, key_0, key_1, stream, draw, shape):  # type: ignore[no-untyped-def]
    """Gamma(shape, 1) from a normal and a uniform variate, where they do not do from `stream`."""
    if shape >= 1.0:
        d = shape - 1.0 / 3.0
        v = 1.0 + z / math.sqrt(9.0 * d)
        if v > 0.0:
            v = v * v * v
            if u < 1.0 - 0.0331 * z * z * z * z:
                return d * v
            if math.log(u) < 0.5 * z * z + d * (1.0 - v + math.log(v)):
                return d * v
    return gamma(key_0, key_1, stream, draw, shape)


@compiled
def split(word):  # type: ignore[no-untyped-def]
    """Two uniform numbers of one word, of 40 and of 24 bits: one to propose by, one to accept."""
    upper = (float(word >> _LOW_BITS) + 0.5) * 2.0**-40
    return upper, (float(word & _LOW) + 0.5) * 2.0**-24


@compiled
def beta(key_0, key_1, stream, draw, a, b):  # type: ignore[no-untyped-def]
    """Beta(a, b) from two gammas, streams `stream` and the next; 0 where it is below 1e-300."""
    left, log_left = gamma_parts(key_0, key_1, stream, draw, a)
    right, log_right = gamma_parts(key_0, key_1, stream + 1, draw, b)
    ratio = right / left
    if log_left != log_right:
        ratio *= math.exp(log_right - log_left)
    return 1.0 / (1.0 + ratio)


@compiled
def poisson(key_0, key_1, stream, draw, mean):  # type: ignore[no-untyped-def]
    """Poisson(mean), as a float: by inversion below 10, above by Hormann's (1993) PTRS."""
    if mean < 10.0:
        u = uniform(words(key_0, key_1, 0, stream, draw)[0])
        chance = math.exp(-mean)
        count = 0.0
        while u > chance and count < 200.0:
            u -= chance
            count += 1.0
            chance *= mean / count
        return count
    root, log_mean = math.sqrt(mean), math.log(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    block = 0
    while True:
        w0, w1, _, _ = words(key_0, key_1, block, stream, draw)
        u, v = uniform(w0) - 0.5, uniform(w1)
        us = 0.5 - abs(u)
        count = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return count
        if count >= 0.0 and (us >= 0.013 or v <= us):
            bound = math.log(v) + math.log(inverse) - math.log(a / (us * us) + b)
            if bound <= count * log_mean - mean - math.lgamma(count + 1.0):
                return count
        block += 1
