"""Our own client against a running site whose workers fetch from other servers, and send to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from other_systems import TOKEN, Systems, other_systems
from photometry_services import Services, photometry_services
from site_under_test import Site, serving

from lasair_broker.client import Lasair, LasairError


@pytest.fixture(autouse=True)
def database() -> None:
    """The site has a user database of its own."""


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with photometry_services() as started:
        yield started


@pytest.fixture(scope="module")
def systems() -> Iterator[Systems]:
    with other_systems() as started:
        yield started


@pytest.fixture(scope="module")
def site(
    site: Site, services: Services, systems: Systems, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site on the same archive whose operator has switched on what there is. It has people of its own: the
    other's workers would do what is asked here, too."""
    wanted = {f"LASAIR_PHOTOMETRY__{name.upper()}": str(value) for name, value in services.settings.items()}
    users = tmp_path_factory.mktemp("users") / "users.sqlite3"
    wanted |= {"LASAIR_USER_DATABASE": f"sqlite:///{users}", "LASAIR_SENDING__HOSTS": "127.0.0.1"}
    environment = site.environment | wanted | {"no_proxy": "*"}
    with serving(site.folder, environment) as started:
        yield started


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Lasair]:
    site.lasair("user", "create", "ella")
    with Lasair(site.address, site.lasair("user", "token", "ella")) as opened:
        yield opened


@pytest.fixture(scope="module")
def number(client: Lasair) -> int:
    found: int = client.query("SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC").to_list()[0][
        "diaObjectId"
    ]
    return found


def test_fetched(client: Lasair, services: Services, number: int) -> None:
    assert [each["name"] for each in client.services()] == ["ztf", "atlas", "panstarrs"]
    done = client.fetch_photometry(number, "atlas", wait=120.0)
    assert (done["count"], done["left_out"]) == (3, 1)
    assert [row["band"] for row in client.photometry(number).to_list()] == ["o", "c", "o"]
    client.fetch_photometry(number, "atlas", visibility="public", wait=120.0)
    assert {row["visibility"] for row in client.photometry(number).to_list()} == {"public"}
    services.trouble["atlas"] = 503
    with pytest.raises(LasairError, match=r"\(ERROR\): ATLAS forced photometry is out of order"):
        client.fetch_photometry(number, "atlas", wait=120.0)
    with pytest.raises(LasairError, match="there is no service gaia"):
        client.fetch_photometry(number, "gaia")


def test_sent(client: Lasair, systems: Systems, number: int) -> None:
    portal = client.add_destination("ours", "skyportal", f"{systems.address}/portal", TOKEN)
    tom = client.add_destination("a TOM", "tom", f"{systems.address}/tom", "not the token")
    assert [each["name"] for each in client.destinations()] == ["ours", "a TOM"]
    assert "Supernovae" in client.test_destination(portal["id"], wait=120.0)
    with pytest.raises(LasairError, match="refuses the token"):
        client.test_destination(tom["id"], wait=120.0)
    sent = client.send(number, portal["id"], wait=120.0)
    assert sent["link"].startswith(f"{systems.address}/portal/source/")
    assert sent["count"] == len(systems.photometry) > 0
