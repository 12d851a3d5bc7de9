"""What deploy/ says: every command, setting, metric and name in it is one that there is."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.registry import Collector
from typer.testing import CliRunner

from lasair_broker.cli._app import app
from lasair_broker.settings import Settings, load
from lasair_broker.stream import Metrics, OutageMetrics, StageTimes
from lasair_broker.stream.context import ContextMetrics
from lasair_broker.stream.delivery import DeliveryMetrics
from lasair_broker.stream.filters import FilterMetrics
from lasair_broker.web.watched import JOB_SECONDS, JOBS, REQUEST_SECONDS, REQUESTS, JobsWaiting

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TEMPLATES = sorted((DEPLOY / "helm" / "lasair" / "templates").glob("*.yaml"))
OTHERS = {"LASAIR_SECRET_KEY", "LASAIR_USER_DATABASE", "LASAIR_CONFIG"}
"""Variables of Lasair that are no settings."""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LASAIR_") and not name.startswith("LASAIR_TEST_"):
            monkeypatch.delenv(name)


def is_a_command(words: list[str]) -> None:
    """A command line with nothing in it that `lasair` does not know; nothing is run."""
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, f"{words}: {done.output}"
    assert f"lasair {words[0]}" in done.output.replace("root", "lasair") or words[0] in done.output


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        if name.startswith("LASAIR_") and name not in OTHERS:
            assert "__" in name, name
            monkeypatch.setenv(name, value or "")
    return load()


# Compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml with its variables filled in from the example."""
    text = (DEPLOY / "compose.yaml").read_text()
    given = dict(line.split("=", 1) for line in env_lines(DEPLOY / "site.env.example"))

    def fill(found: re.Match[str]) -> str:
        name, how, default = found.groups()
        assert name in given or how == ":-", f"{name} is neither in site.env.example nor has a default"
        return given.get(name) or (default if how == ":-" else "something")

    filled: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)(:[-?])?([^}]*)\}", fill, text))
    return filled


def env_lines(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line


def ours(compose: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in compose["services"].items() if one["image"] == "lasair:latest"}


def test_compose_has_all_parts_of_a_site(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) >= {"postgresql", "kafka", "proxy", "prometheus", "grafana"}
    assert set(ours(compose)) == {"init", "ingest", "deliver", "web", "work"}


def test_compose_runs_commands_that_there_are(compose: dict[str, Any]) -> None:
    for service in ours(compose).values():
        is_a_command(service["command"])


def test_compose_sets_settings_that_there_are(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(ours(compose)["web"]["environment"], monkeypatch)
    assert settings.archive.keep_images_days == {"lsst": 365, "ztf": 365}
    assert settings.metrics.port == 9100
    assert settings.site.https
    assert settings.site.hosts == ("lasair.example.org", "web")
    assert settings.kafka.topics == ("alerts",)


def test_compose_names_only_what_it_has(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                assert source in compose["volumes"], source
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert {line.split("=")[0] for line in env_lines(DEPLOY / "site.env.example")} <= used
    proxied = re.findall(r"reverse_proxy (\w+):(\d+)", (DEPLOY / "Caddyfile").read_text())
    assert dict(proxied) == {"grafana": "3000", "web": "8000"}
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    for job in jobs:
        (found,) = job["dns_sd_configs"]
        assert set(found["names"]) <= set(compose["services"])
        assert found["port"] == 9100


def test_the_image_is_made_of_files_that_there_are() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.M):
        assert (DEPLOY.parent / source).exists(), source
    assert "make wheel" in text
    assert re.search(r"^wheel:", (DEPLOY.parent / "Makefile").read_text(), re.M)
    is_a_command(["compile-kernels"])


# systemd


def unit(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = unit(path)["ExecStart"]
    program, *words = shlex.split(command)
    assert program == "/opt/lasair/bin/lasair"
    is_a_command(words)
    own = [shlex.split(value) for value in unit(path).get("Environment", [])]
    environment = dict(pair.split("=", 1) for pairs in own for pair in pairs)
    environment = {name: value.replace("%i", "1") for name, value in environment.items()}
    if path.stem != "lasair-tidy":
        from lasair_broker.stream import _allocator

        assert int(environment["MALLOC_MMAP_THRESHOLD_"]) == _allocator._MMAP_THRESHOLD_BYTES
        assert int(environment["MALLOC_TRIM_THRESHOLD_"]) == _allocator._TRIM_THRESHOLD_BYTES
    common = (
        shlex.split(line)[0].split("=", 1) for line in env_lines(DEPLOY / "systemd" / "site.env.example")
    )
    settings = settings_of({**dict(common), **environment}, monkeypatch)
    assert settings.archive.packs == "s3://lasair-packs/site"
    assert settings.archive.keep_images_days == {"lsst": 365, "ztf": 365}


def test_the_timer_has_its_unit() -> None:
    for path in (DEPLOY / "systemd").glob("*.timer"):
        assert path.with_suffix(".service") in UNITS


# Helm


def rendered(path: Path) -> Any:
    """A template with the default values; the templates use no more of the language than this."""
    values = yaml.safe_load((DEPLOY / "helm" / "lasair" / "values.yaml").read_text())

    def fill(found: re.Match[str]) -> str:
        value: Any = values
        for part in found[1].split("."):
            value = value[part]
        if found[2] is None:
            assert isinstance(value, int | str)
            return str(value)
        return json.dumps(value)

    text = re.sub(r"\{\{ \.Values\.([\w.]+)(?: \| (quote|toJson))? \}\}", fill, path.read_text())
    assert "{{" not in text
    return yaml.safe_load(text)


def pods(path: Path) -> Iterator[dict[str, Any]]:
    """The pods that a template makes."""

    def inside(found: Any) -> Iterator[dict[str, Any]]:
        if isinstance(found, dict):
            if "containers" in found:
                yield found
            for value in found.values():
                yield from inside(value)

    yield from inside(rendered(path))


def test_the_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = yaml.safe_load((DEPLOY / "helm" / "lasair" / "Chart.yaml").read_text())
    assert chart["apiVersion"] == "v2"
    assert {rendered(path)["kind"] for path in TEMPLATES} == {
        "ConfigMap", "CronJob", "Deployment", "Ingress", "Job", "Service",
    }  # fmt: skip
    commands = []
    for path in TEMPLATES:
        for pod in pods(path):
            (container,) = pod["containers"]
            is_a_command(container["args"])
            commands.append(container["args"][0])
            ports = {port["name"] for port in container.get("ports", ())}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in ports
                    assert container[probe]["httpGet"]["path"] in ("/health/live", "/health/ready")
            volumes = {volume["name"] for volume in pod.get("volumes", ())}
            assert {mount["name"] for mount in container.get("volumeMounts", ())} == volumes
    assert sorted(commands) == ["archive", "archive", "deliver", "ingest", "serve", "work"]
    settings = settings_of(rendered(DEPLOY / "helm/lasair/templates/settings.yaml")["data"], monkeypatch)
    assert settings.archive.packs == "s3://lasair-packs/site"
    assert settings.metrics.port == 9100


# What is watched


class NoKeeper:
    standings: dict[str, Any] = {}  # noqa: RUF012 - nothing changes it


def metrics() -> set[str]:
    """The names under which Prometheus keeps what our processes register."""
    keeper: Any = NoKeeper()
    collectors: list[Collector] = [
        Metrics(StageTimes()),
        DeliveryMetrics(),
        FilterMetrics(),
        ContextMetrics(keeper),
        OutageMetrics(),
        REQUESTS,
        REQUEST_SECONDS,
        JOBS,
        JOB_SECONDS,
    ]
    families = [family for collector in collectors for family in collector.collect()]
    families += JobsWaiting().describe()
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {family.name + suffix for family in families for suffix in suffixes[family.type]}


def asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\blasair_\w+", re.sub(r'"[^"]*"', "", expression)))


def test_alert_rules_ask_for_metrics_that_there_are() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "lasair.rules.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 8
    runbook = (DEPLOY.parent / "docs" / "runbook.md").read_text()
    there = metrics()
    for rule in rules:
        assert asked_for(rule["expr"]) <= there, rule["alert"]
        assert asked_for(rule["expr"]) or "up{" in rule["expr"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in runbook, f"the runbook does not say what to do at {rule['alert']}"


@pytest.mark.parametrize("path", sorted((DEPLOY / "grafana/dashboards").glob("*.json")), ids=lambda p: p.stem)
def test_dashboards_show_metrics_that_there_are(path: Path) -> None:
    board = json.loads(path.read_text())
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    there = metrics()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) > 5
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] in uids
        for target in panel["targets"]:
            assert asked_for(target["expr"]), panel["title"]
            assert asked_for(target["expr"]) <= there, panel["title"]


def test_every_metric_is_on_a_dashboard() -> None:
    text = "".join(path.read_text() for path in (DEPLOY / "grafana/dashboards").glob("*.json"))
    shown = set(re.findall(r"\blasair_\w+", text))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics()}
    assert {name for name in families if not any(one.startswith(name) for one in shown)} == set()
