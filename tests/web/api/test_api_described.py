"""The API against its own OpenAPI description."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from site_under_test import Site


@pytest.fixture(autouse=True)
def database() -> None:
    """The site has a user database of its own."""


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    site.lasair("user", "create", "dora")
    return site.lasair("user", "token", "dora")


def test_the_description_is_complete(site: Site) -> None:
    described = requests.get(f"{site.address}/api/v1/schema/?format=json", timeout=60).json()
    names = [
        operation["operationId"]
        for methods in described["paths"].values()
        for method, operation in methods.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names)) > 110
    assert all(path.startswith("/api/v1/") for path in described["paths"])


@pytest.mark.slow
def test_what_is_described_is_so(site: Site, token: str) -> None:
    """Random requests, good and bad, to every operation: no server error, and answers as described."""
    load_all_checks()
    checks = [
        schemathesis.checks.CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
        )
    ]
    description = schemathesis.openapi.from_url(f"{site.address}/api/v1/schema/?format=json")
    headers = {"Authorization": f"Token {token}"}
    site.lasair("user", "tier", "dora", "power")
    wrong = []
    for result in description.get_all_operations():
        operation = result.ok()
        if re.search(r"/hits/events/|/stream/|/test/$", operation.path):
            continue  # one never ends, the other calls addresses that were made up

        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def try_it(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=checks, timeout=60)

        try:
            try_it()
        except FailureGroup as found:
            wrong += [f"{operation.label}: {failure}" for failure in found.exceptions]
    assert not wrong, "\n\n".join(wrong)
