"""Settings come from arguments, environment and file in this order, and errors name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lasair_broker.settings import KafkaSettings, SettingsError, load


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("LASAIR_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lasair.toml", '[kafka]\nbootstrap = "file:1"\ngroup = "file"\ntopics = ["a", "b"]\n'),
        ("lasair.yaml", "kafka:\n  bootstrap: file:1\n  group: file\n  topics: [a, b]\n"),
    ],
)
def test_arguments_before_environment_before_file_before_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    monkeypatch.setenv("LASAIR_KAFKA__GROUP", "environment")
    monkeypatch.setenv("LASAIR_STREAM__BATCH_ALERTS", "17")
    settings = load(path, stream={"batch_alerts": 5})
    assert settings.kafka.bootstrap == "file:1"
    assert settings.kafka.topics == ("a", "b")
    assert settings.kafka.group == "environment"
    assert settings.stream.batch_alerts == 5
    assert settings.kafka.start == "beginning"


def test_the_file_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lasair.toml"
    path.write_text('[archive]\nurl = "elsewhere"\n')
    monkeypatch.setenv("LASAIR_CONFIG", str(path))
    assert load().archive.url == "elsewhere"


def test_variables_of_other_programs_with_our_prefix_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASAIR_TOKEN", "of the API client")
    assert load().kafka.bootstrap == ""


@pytest.mark.parametrize(
    ("values", "needles"),
    [
        ({"kafka": {"bootstrp": "x"}}, ["kafka.bootstrp", "kafka.bootstrap"]),
        ({"kafak": {}}, ["kafak", "did you mean kafka"]),
        ({"stream": {"batch_alerts": 0}}, ["stream.batch_alerts", "LASAIR_STREAM__BATCH_ALERTS", "greater"]),
        ({"stream": {"batch_wait": "soon"}}, ["stream.batch_wait", "number"]),
        ({"archive": {"memory_limit": "lots"}}, ["archive.memory_limit"]),
        ({"kafka": {"mechanism": "GSSAPI"}}, ["kafka.mechanism", "SCRAM-SHA-512"]),
        ({"metrics": {"port": 70000}}, ["metrics.port", "65535"]),
    ],
)
def test_errors_name_the_setting(values: dict[str, dict[str, object]], needles: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**values)
    for needle in needles:
        assert needle in str(caught.value)


def test_a_misspelt_variable_within_a_section_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASAIR_KAFKA__GROPU", "x")
    with pytest.raises(SettingsError, match=r"kafka\.gropu.*did you mean kafka\.group"):
        load()


@pytest.mark.parametrize(
    ("name", "text", "needle"),
    [
        ("a.toml", "[kafka", "a.toml"),
        ("a.yaml", "kafka: [", "a.yaml"),
        ("a.yaml", "- 1", "no sections"),
        ("missing.toml", None, "No such file"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, text: str | None, needle: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=needle):
        load(tmp_path / name)


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing yet\n")
    assert load(tmp_path / "a.yaml") == load()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASAIR_KAFKA__OPTIONS", '{"ssl.key.password": "hushhush", "fetch.max.bytes": 99}')
    monkeypatch.setenv("LASAIR_KAFKA__PASSWORD", "hushhush")
    settings = load(kafka={"username": "me"}, schemas={"registry_password": "hushhush"})
    for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hushhush" not in shown
    config = settings.kafka.librdkafka()
    assert config["ssl.key.password"] == config["sasl.password"] == "hushhush"
    assert config["fetch.max.bytes"] == 99


def test_no_secret_is_shown_in_an_error() -> None:
    with pytest.raises(SettingsError) as caught:
        load(kafka={"password": ["hushhush"]})
    assert "kafka.password" in str(caught.value)
    assert "hushhush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        (KafkaSettings(bootstrap="b:1"), "PLAINTEXT"),
        (KafkaSettings(bootstrap="b:1", tls=True), "SSL"),
        (KafkaSettings(bootstrap="b:1", username="me"), "SASL_PLAINTEXT"),
        (KafkaSettings(bootstrap="b:1", username="me", tls=True), "SASL_SSL"),
        (KafkaSettings(bootstrap="b:1", options={"security.protocol": "SASL_SSL"}), "SASL_SSL"),
    ],
)
def test_the_protocol_follows_from_user_and_tls(settings: KafkaSettings, protocol: str) -> None:
    assert settings.librdkafka()["security.protocol"] == protocol


def test_topics_may_be_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(kafka={"topics": "lsst-alerts-v11, ztf_2026"}).kafka.topics == ("lsst-alerts-v11", "ztf_2026")
    monkeypatch.setenv("LASAIR_KAFKA__TOPICS", '["x"]')
    assert load().kafka.topics == ("x",)
    monkeypatch.setenv("LASAIR_KAFKA__TOPICS", "lsst-alerts-v11,ztf_2026")
    assert load().kafka.topics == ("lsst-alerts-v11", "ztf_2026")


def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASAIR_KAFKA__OPTIONS", "fetch.max.bytes=1")
    with pytest.raises(SettingsError, match=r"kafka\.options.*LASAIR_KAFKA__OPTIONS"):
        load()


def test_folders_of_schemas_may_be_one_or_several_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASAIR_SCHEMAS__FOLDERS", "/srv/schemas")
    assert load().schemas.folders == (Path("/srv/schemas"),)
    monkeypatch.setenv("LASAIR_SCHEMAS__FOLDERS", "/srv/schemas, more")
    assert load().schemas.folders == (Path("/srv/schemas"), Path("more"))
    monkeypatch.setenv("LASAIR_SCHEMAS__FOLDERS", '["/srv/a,b"]')
    assert load().schemas.folders == (Path("/srv/a,b"),)
    assert load(schemas={"folders": [Path("x")]}).schemas.folders == (Path("x"),)
