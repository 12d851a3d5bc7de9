"""Drawing cut-outs: PSFs, galaxies and noise, straight into the bytes of FITS files.

Galaxies are exponential discs as five concentric Gaussians (the method of Hogg & Lang 2013, PASP 125, 719;
our own fit, within 7 % out to three half-light radii), so that convolution with a Gaussian PSF is a sum of
covariances.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.packets.simulator._camera import PIXEL_DEG
from lasair_broker.packets.simulator._fits import HEADER_PLACES, STAMP_SIZE, Layout
from lasair_broker.packets.simulator._random import hash2

__all__ = ["Scene", "draw_cutouts"]

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

_HALF_LIGHT = np.array([0.11, 0.28, 0.58, 1.0, 1.55])
_SHARE = np.array([0.0057, 0.0608, 0.2904, 0.4324, 0.2107])
_TABLE_BITS = 13
_HALF_NORMAL = np.array(
    [NormalDist().inv_cdf(0.5 + 0.5 * (i + 0.5) / 2**_TABLE_BITS) for i in range(2**_TABLE_BITS)], np.float32
)
_S = STAMP_SIZE


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be drawn for each alert, one array element an alert; lengths in pixels, fluxes in nJy.

    Attributes
    ----------
    ra, decl, x, y
        Position of the source on the sky (degrees) and on the detector.
    difference, template
        Point-source flux of the source: change, and in the template.
    stretch, stretch_angle
        Length of a trail and its angle from +x, radians; 0 for a point.
    dipole
        A second, negative source of the difference so far to the right; 0 for none.
    sharp
        Draw the difference as a cosmic ray, narrower than the PSF, and nothing of it in other images.
    galaxy, galaxy_dx, galaxy_dy
        Flux of a galaxy and the offset of its centre from the source.
    radius, axis_ratio, angle
        Its half-light radius, axis ratio and the angle of its major axis from +x, radians.
    """

    ra: npt.NDArray[np.float64]
    decl: npt.NDArray[np.float64]
    x: Float32
    y: Float32
    difference: Float32
    template: Float32
    stretch: Float32
    stretch_angle: Float32
    dipole: Float32
    sharp: npt.NDArray[np.bool_]
    galaxy: Float32
    galaxy_dx: Float32
    galaxy_dy: Float32
    radius: Float32
    axis_ratio: Float32
    angle: Float32
    key: npt.NDArray[np.uint64]


@njit(cache=True, error_model="numpy")
def _add_point(image: Any, flux: float, x0: float, y0: float, sigma: float) -> None:
    """Add a PSF to ``image[y, x]``."""
    across, wide = np.empty(_S, np.float32), np.empty(_S, np.float32)
    share = flux * 0.85 / (2.0 * np.pi * sigma * sigma)
    wide_share = flux * 0.15 / (8.0 * np.pi * sigma * sigma)
    scale = -0.5 / (sigma * sigma)
    for k in range(_S):
        q = np.float32(scale * (k - x0) ** 2)
        across[k] = np.exp(q)
        wide[k] = np.exp(np.float32(0.25) * q)
    for j in range(_S):
        q = np.float32(scale * (j - y0) ** 2)
        core, wing = np.float32(share) * np.exp(q), np.float32(wide_share) * np.exp(np.float32(0.25) * q)
        for i in range(_S):
            image[j, i] += core * across[i] + wing * wide[i]


@njit(cache=True, error_model="numpy")
def _add_gaussian(
    image: Any, flux: float, x0: float, y0: float, cxx: float, cxy: float, cyy: float, value: Any, ratio: Any
) -> None:
    """Add an elliptical Gaussian of covariance (cxx, cxy, cyy) to ``image[y, x]``.

    Along y a Gaussian is a geometric series whose ratio is one too, so a step costs two multiplications; it
    goes from the row next to the centre both ways, lest it begins with nothing.
    """
    determinant = cxx * cyy - cxy * cxy
    a, b, c = cyy / determinant, -cxy / determinant, cxx / determinant
    peak = flux / (2.0 * np.pi * np.sqrt(determinant))
    start = min(max(int(np.rint(y0)), 0), _S - 1)
    change = np.exp(-c)
    for direction in (1, -1):
        dy = start - y0
        for i in range(_S):
            dx = i - x0
            value[i] = peak * np.exp(-0.5 * (a * dx * dx + 2.0 * b * dx * dy + c * dy * dy))
            ratio[i] = np.exp(-0.5 * c - direction * (c * dy + b * dx))
        j = start
        if direction == -1:
            for i in range(_S):
                value[i] *= ratio[i]
                ratio[i] *= change
            j -= 1
        while 0 <= j < _S:
            row = image[j]
            for i in range(_S):
                row[i] += value[i]
                value[i] *= ratio[i]
                ratio[i] *= change
            j += direction


@njit(cache=True, error_model="numpy")
def _add_galaxy(
    image: Any, flux: float, x0: float, y0: float, radius: float, q: float, angle: float, sigma: float,
    value: Any, ratio: Any,
) -> None:  # fmt: skip
    """Add an exponential disc seen through a Gaussian PSF."""
    c, s = np.cos(angle), np.sin(angle)
    for k in range(5):
        major = (_HALF_LIGHT[k] * radius) ** 2
        minor = major * q * q
        cxx = major * c * c + minor * s * s + sigma * sigma
        cyy = major * s * s + minor * c * c + sigma * sigma
        _add_gaussian(image, flux * _SHARE[k], x0, y0, cxx, (major - minor) * c * s, cyy, value, ratio)


@njit(cache=True)
def _write_number(out: Any, at: int, value: float, decimals: int, exponent: int) -> None:
    """Write a number into 20 characters, right-justified; with ``E-0<exponent>`` behind it if `exponent` >
    0."""
    place = at + 19
    if exponent > 0:
        for code in (48 + exponent, 48, 45, 69):  # the characters of E-0<exponent>, backwards
            out[place] = code
            place -= 1
        value *= 10.0**exponent
    negative = value < 0.0
    number = np.int64(np.rint(abs(value) * 10.0**decimals))
    digit = 0
    while number > 0 or digit <= decimals:
        if digit == decimals and decimals > 0:
            out[place] = 46
            place -= 1
        out[place] = 48 + number % 10
        number //= 10
        place -= 1
        digit += 1
    if negative:
        out[place] = 45
        place -= 1
    while place >= at:
        out[place] = 32
        place -= 1


@njit(cache=True)
def _write_integer(out: Any, at: int, value: int) -> None:
    """Write an integer into 20 characters, right-justified."""
    place = at + 19
    number = abs(value)
    while True:
        out[place] = 48 + number % 10
        number //= 10
        place -= 1
        if number == 0:
            break
    if value < 0:
        out[place] = 45
        place -= 1
    while place >= at:
        out[place] = 32
        place -= 1


@njit(cache=True, error_model="numpy")
def _noise(key: Any, out: Any) -> None:
    """Fill an array, whose length is a multiple of four, with standard normal deviates from a table of
    quantiles."""
    mask = np.uint64((1 << _TABLE_BITS) - 1)
    for k in range(len(out) // 4):
        h = hash2(key, np.uint64(k))
        for part in range(4):
            bits = h >> np.uint64(16 * part)
            value = _HALF_NORMAL[bits & mask]
            out[4 * k + part] = -value if (bits >> np.uint64(_TABLE_BITS)) & np.uint64(1) else value


@njit(cache=True)
def _store(image: Any, bits: Any, out: Any, at: int) -> None:
    """Write float32 pixels, whose bits are `bits`, as big-endian words at word `at`."""
    for k in range(len(bits)):
        word = bits[k]
        out[at + k] = (word >> 24) | ((word >> 8) & 0xFF00) | ((word << 8) & 0xFF0000) | (word << 24)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(
    ra: Any, decl: Any, x: Any, y: Any, difference: Any, template: Any, stretch: Any, stretch_angle: Any,
    dipole: Any, sharp: Any, galaxy: Any, galaxy_dx: Any, galaxy_dy: Any, radius: Any, axis_ratio: Any,
    angle: Any,
    key: Any, rotation: float, sigma: float, template_sigma: float, sky_sd: float, template_sd: float,
    shot: float,
    places: Any, image_at: int, variance_at: int, size: int, out: Any, words: Any,
) -> None:  # fmt: skip
    c, s = np.cos(np.radians(rotation)) * PIXEL_DEG, np.sin(np.radians(rotation)) * PIXEL_DEG
    change, sky = np.empty((_S, _S), np.float32), np.empty((_S, _S), np.float32)
    reference = np.empty((_S, _S), np.float32)
    flat_change, flat_sky, flat_reference = change.reshape(-1), sky.reshape(-1), reference.reshape(-1)
    sky_variance, floor = np.float32(sky_sd * sky_sd), np.float32(template_sd * template_sd)
    shot32, zero = np.float32(shot), np.float32(0.0)
    science_spread, template_spread = np.empty(_S * _S, np.float32), np.empty(_S * _S, np.float32)
    value, ratio = np.empty(_S), np.empty(_S)
    noise, reference_noise = np.empty(_S * _S, np.float32), np.empty(_S * _S, np.float32)
    pixels, spread = np.empty(_S * _S, np.float32), np.empty(_S * _S, np.float32)
    pixel_bits, spread_bits = pixels.view(np.uint32), spread.view(np.uint32)
    for n in range(len(ra)):
        corner_x, corner_y = int(np.floor(x[n])) - _S // 2, int(np.floor(y[n])) - _S // 2
        x0, y0 = x[n] - corner_x, y[n] - corner_y
        change[:] = 0.0
        sky[:] = 0.0
        reference[:] = 0.0
        if sharp[n]:
            _add_gaussian(change, difference[n], x0, y0, 0.3, 0.1, 0.25 + stretch[n] ** 2, value, ratio)
        elif stretch[n] > 0.0:
            ca, sa = np.cos(stretch_angle[n]), np.sin(stretch_angle[n])
            extra = stretch[n] ** 2 / 12.0
            cxx, cyy = sigma * sigma + extra * ca * ca, sigma * sigma + extra * sa * sa
            _add_gaussian(change, difference[n], x0, y0, cxx, extra * ca * sa, cyy, value, ratio)
        else:
            _add_point(change, difference[n], x0, y0, sigma)
        if dipole[n] != 0.0:
            _add_point(change, -0.8 * difference[n], x0 + dipole[n], y0, sigma)
        if template[n] != 0.0:
            _add_point(sky, template[n], x0, y0, sigma)
            _add_point(reference, template[n], x0, y0, template_sigma)
        if galaxy[n] > 0.0:
            gx, gy = x0 + galaxy_dx[n], y0 + galaxy_dy[n]
            _add_galaxy(sky, galaxy[n], gx, gy, radius[n], axis_ratio[n], angle[n], sigma, value, ratio)
            _add_galaxy(
                reference, galaxy[n], gx, gy, radius[n], axis_ratio[n], angle[n], template_sigma, value, ratio
            )
        _noise(hash2(key[n], np.uint64(211)), noise)
        _noise(hash2(key[n], np.uint64(223)), reference_noise)
        for k in range(_S * _S):
            science_spread[k] = sky_variance + shot32 * max(flat_sky[k] + flat_change[k], zero)
            template_spread[k] = floor + shot32 * max(flat_reference[k], zero) * np.float32(0.1)
            noise[k] *= np.sqrt(science_spread[k])
            reference_noise[k] *= np.sqrt(template_spread[k])
        for image in range(3):
            base = (n * 3 + image) * size
            if image == 0:
                for k in range(_S * _S):
                    pixels[k] = flat_change[k] + noise[k] - reference_noise[k]
                    spread[k] = science_spread[k] + template_spread[k]
            elif image == 1:
                for k in range(_S * _S):
                    pixels[k] = flat_sky[k] + flat_change[k] + noise[k]
                    spread[k] = science_spread[k]
            else:
                for k in range(_S * _S):
                    pixels[k] = flat_reference[k] + reference_noise[k]
                    spread[k] = template_spread[k]
            _store(pixels, pixel_bits, words, (base + image_at) // 4)
            if variance_at >= 0:
                _store(spread, spread_bits, words, (base + variance_at) // 4)
            _write_integer(out, base + places[0], corner_x)
            _write_integer(out, base + places[1], corner_y)
            _write_number(out, base + places[2], rotation, 12, 0)
            # FITS counts pixels from one.
            _write_number(out, base + places[3], x0 + 1.0, 10, 0)
            _write_number(out, base + places[4], y0 + 1.0, 10, 0)
            _write_number(out, base + places[5], -c, 12, 5)
            _write_number(out, base + places[6], s, 12, 5)
            _write_number(out, base + places[7], s, 12, 5)
            _write_number(out, base + places[8], c, 12, 5)
            _write_number(out, base + places[9], ra[n], 12, 0)
            _write_number(out, base + places[10], decl[n], 12, 0)


def draw_cutouts(
    scene: Scene,
    layouts: tuple[Layout, Layout, Layout],
    *,
    rotation: float,
    sigma: float,
    template_sigma: float,
    five_sigma: float,
    template_noise: float,
    reuse: UInt8 | None = None,
) -> UInt8:
    """The difference, science and template cut-outs of each alert of one visit, shape (alerts, 3, bytes).

    Parameters
    ----------
    scene
        What to draw.
    layouts
        Of the three cut-outs; all of one length.
    rotation
        Position angle of +y, degrees.
    sigma, template_sigma
        Widths of the PSF in the visit and in the template, pixels.
    five_sigma
        5-sigma depth of the visit in nJy, which sets the noise of a pixel.
    template_noise
        1-sigma error of a point source in the template, nJy.
    reuse
        An earlier result that nobody needs any more, to write into if it is large enough.
    """
    n, size = len(scene.ra), len(layouts[0].blank)
    if reuse is not None and len(reuse) >= n and reuse.shape[2] == size:
        out = reuse[:n]
    else:
        out = np.empty((n, 3, size), np.uint8)
    for i, layout in enumerate(layouts):
        out[:, i] = layout.blank
    # The error of a PSF fit is that of sqrt(4 pi) sigma pixels.
    pixels = np.sqrt(4.0 * np.pi)
    columns: list[Any] = [getattr(scene, f.name) for f in fields(Scene)]
    flat = out.reshape(-1)
    columns += (
        rotation,
        sigma,
        template_sigma,
        five_sigma / 5.0 / (pixels * sigma),
        template_noise / (pixels * template_sigma),
        0.001 * five_sigma,
    )
    columns += (HEADER_PLACES, layouts[0].image, layouts[0].variance, size, flat, flat.view(np.uint32))
    _draw(*columns)
    return out
