"""ZTF object names as 64-bit numbers and back.

A ZTF name is "ZTF", two digits of the year and seven small letters. Year and letters are one number below
100 × 26⁷ < 2⁴⁰. The 23 bits above them spell "ZTF" in ASCII (0x5A5446), so every ZTF number lies in
[6.508e18, 6.509e18): positive, and forty times above the numbers Rubin gives (1.7e17 in 2026).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["is_ztf_object_id", "ztf_object_id", "ztf_object_name"]

_TAG = 0x5A5446
_TAG_SHIFT = 40
_LETTERS = 7
_NAMES_A_YEAR = 26**_LETTERS
_NAME = re.compile(r"ZTF\d{2}[a-z]{7}", re.ASCII)


def ztf_object_id(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The `diaObjectId` of each ZTF object name.

    Parameters
    ----------
    names
        Names such as "ZTF18abyouwp".

    Returns
    -------
    int64 array, one number a name; 0, which is no object's number, where the text is not a ZTF name.
    """
    good = np.array([_NAME.fullmatch(name) is not None for name in names], np.bool_)
    text = np.array([name if ok else "ZTF00aaaaaaa" for name, ok in zip(names, good, strict=True)], "S12")
    characters = text.view(np.uint8).reshape(-1, 12).astype(np.int64)
    number = (characters[:, 3] - ord("0")) * 10 + characters[:, 4] - ord("0")
    for place in range(5, 12):
        number = number * 26 + characters[:, place] - ord("a")
    return np.where(good, number | (_TAG << _TAG_SHIFT), 0)


def is_ztf_object_id(ids: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which of the given `diaObjectId` (int64) are those of ZTF objects."""
    values = np.asarray(ids, np.int64)
    low = values & ((1 << _TAG_SHIFT) - 1)
    return np.asarray((values >> _TAG_SHIFT == _TAG) & (low < 100 * _NAMES_A_YEAR))


def ztf_object_name(ids: npt.ArrayLike) -> list[str]:
    """The ZTF name of each `diaObjectId` (int64).

    Raises
    ------
    ValueError
        If one of them is not a ZTF object's.
    """
    values = np.asarray(ids, np.int64).ravel()
    good = is_ztf_object_id(values)
    if not good.all():
        raise ValueError(f"not the number of a ZTF object: {values[~good][0]}")
    rest = values & ((1 << _TAG_SHIFT) - 1)
    characters = np.empty((len(values), 12), np.uint8)
    characters[:, :3] = np.frombuffer(b"ZTF", np.uint8)
    for place in range(11, 4, -1):
        characters[:, place] = rest % 26 + ord("a")
        rest //= 26
    characters[:, 3] = rest // 10 + ord("0")
    characters[:, 4] = rest % 10 + ord("0")
    return [str(name, "ascii") for name in characters.view("S12").ravel().tolist()]
