"""All randomness of a generation: one counter-based generator, the same bytes on every machine.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3) makes four 32-bit words
from a 128-bit counter and a 64-bit key. The layout is part of the file format, because recipes replay it:

* key = (seed mod 2^32, seed div 2^32);
* counter = (block, step, name mod 2^32, name div 2^32), where ``name`` is the first eight bytes, little endian, of
  the SHA-256 of ``"system/stream"`` in UTF-8, and ``block`` counts up from 0;
* the four words of block 0 come first, then those of block 1, and so on, in C order of the wanted shape.

Uniforms are ``(word >> 9) + 0.5`` over 2^23: exact in float32 and never 0 or 1. Normals are the inverse normal
distribution of ``(word + 0.5) / 2^32`` in float64 by algorithm AS 241 (Wichura 1988, routine PPND16), rounded to
float32. Only additions, products, quotients and square roots are used, which IEEE 754 rounds alike everywhere; the
logarithm of the tails is our own series, since libraries disagree in its last bit.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF
_LOW = np.uint64(_WORD)
_HALF = np.uint64(32)
_ROUNDS = 10
_LN2 = 0.6931471805599453

# AS 241, PPND16: numerator and denominator, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_NEAR = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def philox(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox4x32-10 of ``counter (4, N) uint32``: ``(4, N) uint32`` random words."""
    c0, c1, c2, c3 = counter.astype(np.uint64)
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0 = _MULTIPLIERS[0] * c0
        p1 = _MULTIPLIERS[1] * c2
        c0 = (p1 >> _HALF) ^ c1 ^ np.uint64(k0)
        c1 = p1 & _LOW
        c2 = (p0 >> _HALF) ^ c3 ^ np.uint64(k1)
        c3 = p0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def words(seed: int, count: int, *, system: str, stream: str, step: int = 0) -> NDArray[np.uint32]:
    """The first ``count`` 32-bit words of a stream, ``(count,) uint32``."""
    if seed < 0 or not 0 <= step <= _WORD:
        raise ValueError(f"seed {seed} and step {step} must not be negative")
    name = int.from_bytes(hashlib.sha256(f"{system}/{stream}".encode()).digest()[:8], "little")
    blocks = -(-count // 4)
    counter = np.empty((4, blocks), np.uint32)
    counter[0] = np.arange(blocks, dtype=np.uint32)
    counter[1] = step
    counter[2] = name & _WORD
    counter[3] = name >> 32
    return philox(counter, (seed & _WORD, (seed >> 32) & _WORD)).T.reshape(-1)[:count]


def uniform(seed: int, shape: Sequence[int], *, system: str, stream: str, step: int = 0) -> NDArray[np.float32]:
    """Uniform numbers in the open interval (0, 1), ``shape`` float32."""
    drawn = words(seed, int(np.prod(shape)), system=system, stream=stream, step=step)
    unit = ((drawn >> np.uint32(9)).astype(np.float64) + 0.5) * 2.0**-23
    return unit.astype(np.float32).reshape(tuple(shape))


def normal(seed: int, shape: Sequence[int], *, system: str, stream: str, step: int = 0) -> NDArray[np.float32]:
    """Standard normal numbers, ``shape`` float32, at most 6.4 from zero."""
    drawn = words(seed, int(np.prod(shape)), system=system, stream=stream, step=step)
    return normal_quantile((drawn.astype(np.float64) + 0.5) * 2.0**-32).astype(np.float32).reshape(tuple(shape))


def normals(
    seeds: Sequence[int], shape: Sequence[int], *, system: str, stream: str, step: int = 0
) -> NDArray[np.float32]:
    """One `normal` of ``shape`` per seed, ``(B, *shape) float32``: row i does not depend on the other rows."""
    return np.stack([normal(seed, shape, system=system, stream=stream, step=step) for seed in seeds])


def normal_quantile(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of the standard normal distribution for ``p`` in (0, 1), relative error about 1e-16 (AS 241)."""
    q = p - 0.5
    centre = np.abs(q) <= 0.425
    inner = np.where(centre, q, 0.0)
    result = inner * _ratio(_CENTRE, 0.180625 - inner * inner)
    tail = ~centre
    r = np.sqrt(-_log(np.minimum(p[tail], 1.0 - p[tail])))
    outer = np.where(r <= 5.0, _ratio(_NEAR, r - 1.6), _ratio(_FAR, r - 5.0))
    result[tail] = np.where(q[tail] < 0, -outer, outer)
    return result


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: NDArray[np.float64]) -> NDArray[np.float64]:
    top, bottom = (np.full_like(r, row[0]) for row in coefficients)
    for a, b in zip(coefficients[0][1:], coefficients[1][1:], strict=True):
        top = top * r + a
        bottom = bottom * r + b
    return top / bottom


def _log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm by ``2 artanh((m - 1) / (m + 1))`` on the mantissa, the same bits on every platform."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = np.full_like(z, 1.0 / 23.0)
    for odd in range(21, 0, -2):
        series = series * z + 1.0 / odd
    return 2.0 * s * series + exponent * _LN2
