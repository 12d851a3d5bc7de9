"""Random numbers that depend on what they are for, not on when they are asked for.

A number is a hash of keys (seed, object, visit, purpose), the counter-based idea of Salmon et al. 2011 (SC11)
with the splitmix64 mixer of Steele, Lea & Flood 2014 (OOPSLA). So a measurement is the same whichever batch,
night or process computes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

__all__ = [
    "generator",
    "hash2",
    "hash_array",
    "normal",
    "normal_array",
    "normal_pair",
    "uniform",
    "uniform_array",
]

UInt64Array = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_ONE = np.uint64(1)


def generator(seed: int, *keys: int) -> np.random.Generator:
    """A Philox stream for whole populations, named by integers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, *keys))))


@njit(cache=True, inline="always")
def _mix(x: Any) -> Any:
    x = (x ^ (x >> _S30)) * _MIX_A
    x = (x ^ (x >> _S27)) * _MIX_B
    return x ^ (x >> _S31)


@njit(cache=True, inline="always")
def hash2(a: Any, b: Any) -> Any:
    """A 64-bit hash of two unsigned 64-bit keys."""
    return _mix(_mix(a + _GOLDEN) + b * _GOLDEN)


@njit(cache=True, inline="always")
def uniform(key: Any) -> float:
    """A number in (0, 1) from a 64-bit key."""
    return (float(_mix(key) >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, inline="always")
def normal(key: Any) -> float:
    """A standard normal deviate from a 64-bit key (Box & Muller 1958)."""
    u = uniform(key)
    v = uniform(key + _ONE)
    return float(np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v))


@njit(cache=True, inline="always")
def normal_pair(key: Any) -> Any:
    """Two independent standard normal deviates from a 64-bit key (Box & Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(uniform(key)))
    angle = 2.0 * np.pi * uniform(key + _ONE)
    return radius * np.cos(angle), radius * np.sin(angle)


@njit(cache=True)
def hash_array(a: UInt64Array, b: UInt64Array) -> UInt64Array:
    """`hash2` of two arrays of one length."""
    out = np.empty(len(a), np.uint64)
    for i in range(len(a)):
        out[i] = hash2(a[i], b[i])
    return out


@njit(cache=True)
def uniform_array(keys: UInt64Array) -> Float64:
    """`uniform` of each key."""
    out = np.empty(len(keys), np.float64)
    for i in range(len(keys)):
        out[i] = uniform(keys[i])
    return out


@njit(cache=True)
def normal_array(keys: UInt64Array) -> Float64:
    """`normal` of each key."""
    out = np.empty(len(keys), np.float64)
    for i in range(len(keys)):
        out[i] = normal(keys[i])
    return out
