"""Cut-outs: valid FITS, the source where the WCS says, its flux as measured, the noise as stated."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import stats
from simulated_packets import decode

from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.packets.simulator._fits import cutout_layout, psf_image
from lasair_broker.packets.simulator._stamps import Scene, draw_cutouts

CUTOUTS = ("cutoutDifference", "cutoutScience", "cutoutTemplate")


def _packets(schemas: SchemaStore, cutouts: str, count: int = 60) -> list[dict[str, Any]]:
    simulation = Simulation(
        3, num_fields=1, alerts_per_visit=60, num_alerts=count, cutouts=cutouts, schemas=schemas
    )
    return [p for m in simulation.alerts() for p in decode(simulation, m.values)]


@pytest.fixture(scope="module")
def packets(schemas: SchemaStore) -> list[dict[str, Any]]:
    return _packets(schemas, "psf")


def test_cutouts_are_valid_fits_laid_out_as_rubin_does(packets: list[dict[str, Any]]) -> None:
    for p in packets:
        for name in CUTOUTS:
            assert len(p[name]) == 34560  # the size of the real ones
            with fits.open(io.BytesIO(p[name])) as hdus:
                hdus.verify("exception")
                assert [h.name for h in hdus] == ["PRIMARY", "UNCERT", "PSFIMAGE"]
                assert hdus[0].data.shape == (30, 30)
                assert hdus[0].data.dtype == np.dtype(">f4")
                assert hdus[0].header["BUNIT"] == "nJy"
                assert hdus[1].header["UTYPE"] == "VarianceUncertainty"
                assert (hdus[1].data > 0).all()
                assert np.isfinite(hdus[0].data).all()
                assert hdus[2].data.dtype == np.dtype(">f8")
                assert hdus[2].data.sum() == pytest.approx(1.0)


def test_the_wcs_points_at_the_source(packets: list[dict[str, Any]]) -> None:
    for p in packets:
        s = p["diaSource"]
        for name in CUTOUTS:
            header = fits.getheader(io.BytesIO(p[name]))
            wcs = WCS(header)
            x, y = wcs.all_world2pix([[s["ra"], s["dec"]]], 0)[0]
            assert x == pytest.approx(s["x"] - header["CUTMINX"], abs=1e-3)
            assert y == pytest.approx(s["y"] - header["CUTMINY"], abs=1e-3)
            assert 14.9 < x < 16.1
            assert 14.9 < y < 16.1
            scale = np.sqrt(np.abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600.0
            assert scale == pytest.approx(0.2, rel=1e-9)
            # Seen from inside the sphere: east is left of north.
            assert np.linalg.det(wcs.pixel_scale_matrix) < 0.0


def test_a_psf_fit_to_the_difference_finds_the_flux_of_the_alert(packets: list[dict[str, Any]]) -> None:
    pulls = []
    for p in packets:
        s = p["diaSource"]
        # Pixels do not know of the 1 % error of calibration, which rules for bright sources.
        if (
            abs(s["psfFlux"]) > 2e4
            or s["isDipole"]
            or s["pixelFlags_cr"]
            or s["reliability"] < 0.5
            or s["ssObjectId"]
        ):
            continue
        with fits.open(io.BytesIO(p["cutoutDifference"])) as hdus:
            image, variance = hdus[0].data.astype(float), hdus[1].data.astype(float)
            header = hdus[0].header
        sigma = np.sqrt(s["ixxPSF"]) / 0.2
        dx = np.arange(30) - (s["x"] - header["CUTMINX"])
        dy = np.arange(30) - (s["y"] - header["CUTMINY"])
        model = sum(
            share * np.exp(-0.5 * (dy[:, None] ** 2 + dx[None, :] ** 2) / w**2) / (2.0 * np.pi * w**2)
            for share, w in ((0.85, sigma), (0.15, 2.0 * sigma))
        )
        weight = (model**2 / variance).sum()
        flux = (model * image / variance).sum() / weight
        pulls.append((flux - s["psfFlux"]) * np.sqrt(weight))
        assert np.sqrt(1.0 / weight) == pytest.approx(s["psfFluxErr"], rel=0.6)
    assert len(pulls) > 15
    assert abs(np.mean(pulls)) < 1.0
    assert 0.6 < np.std(pulls) < 1.5


@pytest.mark.parametrize(("cutouts", "size"), [("image", 8640), ("variance", 17280)])
def test_smaller_layouts_are_valid_too(schemas: SchemaStore, cutouts: str, size: int) -> None:
    for p in _packets(schemas, cutouts, 5):
        for name in CUTOUTS:
            assert len(p[name]) == size
            with fits.open(io.BytesIO(p[name])) as hdus:
                hdus.verify("exception")


def test_cutouts_can_be_left_out(schemas: SchemaStore) -> None:
    for p in _packets(schemas, "none", 5):
        assert all(p[name] is None for name in CUTOUTS)
    with pytest.raises(ValueError, match="not 'large'"):
        cutout_layout("large", 2.0, 41)


def _scene(n: int, **columns: float) -> Scene:
    values: dict[str, Any] = {
        name: np.full(n, columns.get(name, 0.0), np.float32)
        for name in (
            "x", "y", "difference", "template", "stretch", "stretch_angle", "dipole", "galaxy", "galaxy_dx",
            "galaxy_dy",
            "radius", "axis_ratio", "angle",
        )
    }  # fmt: skip
    values |= {name: np.full(n, columns.get(name, 10.0)) for name in ("ra", "decl")}
    return Scene(**values, sharp=np.zeros(n, np.bool_), key=np.arange(n, dtype=np.uint64))


def _draw(scene: Scene, **options: float) -> np.ndarray:
    """Images, shape (n, 3, 30, 30), and variances."""
    layout = cutout_layout("variance", 2.0, 41)
    settings = {
        "rotation": 20.0,
        "sigma": 2.0,
        "template_sigma": 1.7,
        "five_sigma": 500.0,
        "template_noise": 12.0,
    }
    out = draw_cutouts(scene, (layout, layout, layout), **(settings | options))
    images = [
        out[:, :, at : at + 3600].copy().view(">f4").reshape(-1, 3, 30, 30)
        for at in (layout.image, layout.variance)
    ]
    return np.array(images, np.float64)


def test_pixel_noise_is_normal_and_as_the_variance_plane_says() -> None:
    image, variance = _draw(_scene(300, x=100.5, y=200.5))
    for which in range(3):
        pull = (image[:, which] / np.sqrt(variance[:, which])).reshape(-1)
        assert stats.kstest(pull[:20_000], "norm").pvalue > 1e-3
        assert pull.std() == pytest.approx(1.0, abs=0.01)
    # Difference = science - template, the same noise in both.
    np.testing.assert_allclose(image[:, 0], image[:, 1] - image[:, 2], atol=1e-3)
    different = np.corrcoef(image[0, 1].reshape(-1), image[1, 1].reshape(-1))[0, 1]
    assert abs(different) < 0.15


def test_galaxies_are_exponential_discs_convolved_with_the_psf() -> None:
    n, radius, q, angle = 200, 4.0, 0.5, 0.6
    galaxy = _scene(n, x=100.0, y=200.0, galaxy=1e6, radius=radius, axis_ratio=q, angle=angle)
    image = _draw(galaxy, five_sigma=1e-3, template_noise=1e-6)[0][:, 1].mean(axis=0)
    # The disc on a grid eleven times finer, convolved in Fourier space.
    fine, size = 11, 30 * 11 * 3 + 1
    axis = (np.arange(size) - (size - 1) / 2) / fine
    x, y = np.meshgrid(axis, axis)
    major = x * np.cos(angle) + y * np.sin(angle)
    minor = (-x * np.sin(angle) + y * np.cos(angle)) / q
    scale = radius / 1.678
    disc = np.exp(-np.hypot(major, minor) / scale) / (2.0 * np.pi * q * scale**2) / fine**2
    kernel = np.exp(-0.5 * (x**2 + y**2) / 4.0)
    kernel /= kernel.sum()
    smooth = np.fft.irfft2(np.fft.rfft2(disc) * np.fft.rfft2(np.fft.ifftshift(kernel)), s=disc.shape)
    middle = size // 2
    # The source is at pixel 15; sums of 11 x 11 fine pixels centred on each pixel.
    start = middle - 15 * fine - fine // 2
    expected = (
        smooth[start : start + 330, start : start + 330].reshape(30, fine, 30, fine).sum(axis=(1, 3)) * 1e6
    )
    np.testing.assert_allclose(image[11:20, 11:20], expected[11:20, 11:20], rtol=0.02)
    np.testing.assert_allclose(image[8:23, 8:23], expected[8:23, 8:23], rtol=0.07)
    assert image.sum() == pytest.approx(expected.sum(), rel=0.03)


def test_psf_image_sums_to_one_and_is_round() -> None:
    psf = psf_image(1.9, 41)
    assert psf.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(psf, psf.T)
    assert psf.argmax() == 20 * 41 + 20


def test_trails_dipoles_and_edges_are_drawn() -> None:
    trail = _draw(_scene(50, x=100.0, y=100.0, difference=1e5, stretch=10.0), five_sigma=1.0)[0][:, 0].mean(
        axis=0
    )
    across, along = trail.sum(axis=1), trail.sum(axis=0)
    axis = np.arange(30)

    def width(profile: np.ndarray) -> float:
        mean = (axis * profile).sum() / profile.sum()
        return float((profile * (axis - mean) ** 2).sum() / profile.sum())

    assert width(along) > width(across) + 5.0
    dipole = _draw(_scene(50, x=100.0, y=100.0, difference=1e4, dipole=2.0), five_sigma=1.0)[0][:, 0].mean(
        axis=0
    )
    assert dipole.min() < -100.0
    assert dipole.max() > 100.0
    far = _scene(
        3,
        x=0.2,
        y=3999.4,
        difference=1e4,
        galaxy=1e5,
        galaxy_dx=90.0,
        galaxy_dy=-70.0,
        radius=3.0,
        axis_ratio=0.3,
    )
    assert np.isfinite(_draw(far)).all()
