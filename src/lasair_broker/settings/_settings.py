"""What an installation can set, where from, and errors that name what is wrong."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

__all__ = [
    "CONFIG_VARIABLE",
    "ArchiveSettings",
    "ContextSettings",
    "DeliverySettings",
    "KafkaConnection",
    "KafkaSettings",
    "LoggingSettings",
    "MessengersSettings",
    "MetricsSettings",
    "PhotometrySettings",
    "SchemaSettings",
    "SendingSettings",
    "Settings",
    "SettingsError",
    "SiteSettings",
    "StreamSettings",
    "TelemetrySettings",
    "TnsSettings",
    "load",
]

ENV_PREFIX = "LASAIR_"
CONFIG_VARIABLE = "LASAIR_CONFIG"

_SECRET_OPTION = re.compile(r"password|secret|\.pem$|token|jaas", re.IGNORECASE)


class SettingsError(ValueError):
    """A setting is missing, misspelt or has a value that cannot be used; the message names it."""


def _hide_secrets(options: object) -> object:
    """Wrap the values of options that hold passwords or keys, so that no log or repr shows them."""
    if not isinstance(options, Mapping):
        return options
    return {
        name: SecretStr(str(value))
        if _SECRET_OPTION.search(str(name)) and not isinstance(value, SecretStr)
        else value
        for name, value in options.items()
    }


def _split(value: object) -> object:
    """The parts of a text with commas."""
    return tuple(t.strip() for t in value.split(",") if t.strip()) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_split)]
LibrdkafkaOptions = Annotated[dict[str, SecretStr | bool | int | float | str], BeforeValidator(_hide_secrets)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ArchiveSettings(_Section):
    """Where everything is kept."""

    url: str = Field(
        "lasair-data",
        description="A folder for the embedded archive, or postgresql://user@host/database, as libpq reads "
        "it. A password is better kept in libpq's password file.",
        min_length=1,
    )
    packs: Annotated[str, BeforeValidator(str)] = Field(
        "lasair-packs",
        description="Packs of images and raw alerts: a folder that all machines of a site see, or "
        "s3://bucket/prefix. An embedded archive has them in its own folder.",
        min_length=1,
    )
    snapshot: Path | None = Field(
        None,
        description="Folder on a fast local disk for a columnar snapshot of an archive in PostgreSQL, from "
        "which searches that no index serves are answered; `lasair archive snapshot` keeps it. Each machine "
        "may have its own.",
    )
    pack_bytes: int = Field(
        512 * 1024**2,
        description="A pack file of images or raw alerts is closed when it has grown to this size (bytes).",
        ge=1024**2,
    )
    pack_cache: Path = Field(
        Path("lasair-pack-cache"),
        description="Folder of this machine for packs from S3 that are read as a whole.",
    )
    pack_cache_bytes: int = Field(
        4 * 1024**3, description="How much of them is kept there (bytes).", ge=1024**2
    )
    s3_endpoint: str = Field(
        "",
        description="Address of an S3 that is not Amazon's, https://…; none: as AWS_ENDPOINT_URL says.",
        pattern=r"^(https?://\S+)?$",
    )
    s3_key: str = Field("", description="Key of S3; none: as AWS' variables, files or machine roles say.")
    s3_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    keep_images_days: dict[str, float] = Field(
        default_factory=dict,
        description="Days after which `lasair archive tidy` takes the cut-outs out of stored alerts, by "
        "survey; a survey that is not named keeps them.",
    )
    keep_alerts_days: dict[str, float] = Field(
        default_factory=dict,
        description="Days after which `lasair archive tidy` drops the packets of alerts, by survey. What was "
        "read from them stays in the tables.",
    )
    memory_limit: str = Field(
        "500MB",
        description="How much memory the embedded engine may take, or the one that reads the snapshot.",
        pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B)$",
    )
    threads: int = Field(
        1,
        description="Threads of the embedded engine that share a statement. Statements run side by side "
        "anyway; more threads shorten searches and slow down the stream.",
        ge=1,
    )

    @field_validator("keep_images_days", "keep_alerts_days")
    @classmethod
    def _are_days_of_surveys(cls, value: dict[str, float]) -> dict[str, float]:
        for survey, days in value.items():
            if survey not in ("lsst", "ztf"):
                raise ValueError(f"there is no survey {survey}: lsst or ztf")
            if not 1 <= days < 100_000:
                raise ValueError(f"{survey} must keep its for at least 1 day, not {days:g}")
        return value


class KafkaConnection(_Section):
    """How to reach a Kafka. Anything librdkafka can be told goes into `options`."""

    bootstrap: str = Field("", description="Brokers to ask first: host:port[,host:port...].")
    username: str = Field("", description="SASL user name.")
    password: SecretStr = Field(SecretStr(""), description="SASL password.")
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism, used when there is a user name."
    )
    tls: bool = Field(False, description="Encrypt the connection.")
    ca_file: Path | None = Field(None, description="Certificates of the authorities to trust, PEM.")
    options: LibrdkafkaOptions = Field(
        default_factory=dict, description="librdkafka's own settings, passed on as they are."
    )

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """The configuration of a librdkafka client, secrets in clear; `options` have the last word."""
        protocol = ("SASL_" if self.username else "") + ("SSL" if self.tls else "PLAINTEXT")
        config: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": protocol,
        }
        if self.username:
            config["sasl.mechanism"] = self.mechanism
            config["sasl.username"] = self.username
            config["sasl.password"] = self.password.get_secret_value()
        if self.ca_file is not None:
            config["ssl.ca.location"] = str(self.ca_file)
        for name, value in self.options.items():
            config[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
        return config


class KafkaSettings(KafkaConnection):
    """The surveys' Kafka, and what is read from it."""

    topics: Texts = Field((), description="Topics to read; one beginning with ^ is a pattern.")
    group: str = Field(
        "lasair", description="Consumer group; its members share the partitions.", min_length=1
    )
    start: Literal["beginning", "end"] = Field(
        "beginning", description="Where to start a partition that the archive has no position for."
    )
    connect_wait: float = Field(
        60.0, description="Seconds to wait at the start for a broker that does not answer.", gt=0
    )


class MessengersSettings(KafkaConnection):
    """Gravitational waves, neutrinos, bursts: where notices are announced, and which are taken in."""

    topics: Texts = Field(
        (), description="Topics of notices to follow; one beginning with ^ is a pattern. None: not followed."
    )
    group: str = Field("lasair-notices", description="Consumer group.", min_length=1)
    client_id: str = Field("", description="Client of NASA's GCN (OAuth 2); none: user name and password.")
    client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    token_url: str = Field(
        "https://auth.gcn.nasa.gov/oauth2/token", description="Where the client gets its tokens."
    )
    tests: bool = Field(False, description="Take in and match tests, injections and made-up events, too.")
    map_hosts: Texts = Field(
        (),
        description="Hosts from which maps are fetched that a notice only names by address; one beginning "
        "with a dot stands for all below it. None: no map is fetched.",
    )
    map_megabytes: int = Field(100, description="The largest map that is fetched.", ge=1, le=2000)
    map_seconds: float = Field(60.0, description="The longest that fetching a map may take.", gt=0)

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """The configuration of a librdkafka client, secrets in clear; `options` have the last word."""
        config: dict[str, str | int | float | bool] = {"group.id": self.group}
        if self.client_id:
            config |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": self.client_id,
                "sasl.oauthbearer.client.secret": self.client_secret.get_secret_value(),
                "sasl.oauthbearer.token.endpoint.url": self.token_url,
            }
        given = super().librdkafka()
        if self.client_id and "security.protocol" not in self.options:
            given.pop("security.protocol")
        return config | given


class DeliverySettings(KafkaConnection):
    """How hits get to users: our own Kafka (which `bootstrap` and its like name), mail, and the rest."""

    topic_partitions: int = Field(1, description="Partitions of a topic that is made.", ge=1, le=1000)
    topic_replication: int = Field(
        -1, description="Copies of a topic that is made; -1: what the brokers have as their default.", ge=-1
    )
    topic_days: float = Field(7.0, description="Days for which a topic that is made keeps its hits.", gt=0)
    mail_host: str = Field("", description="Mail server (SMTP); none: e-mail outputs fail, and say so.")
    mail_port: int = Field(25, description="Its port.", ge=1, le=65535)
    mail_username: str = Field("", description="User name at the mail server.")
    mail_password: SecretStr = Field(SecretStr(""), description="Password at the mail server.")
    mail_security: Literal["none", "starttls", "tls"] = Field(
        "none", description="How the connection to the mail server is encrypted."
    )
    mail_from: str = Field("lasair@localhost", description="Sender of e-mails.")
    digest_hour: int = Field(13, description="Hour (UTC) at which daily digests are sent.", ge=0, le=23)
    site_url: str = Field(
        "", description="Address of the site, https://…; links in e-mails begin with it. None: no links."
    )
    allowed_networks: Texts = Field(
        (),
        description="Private networks that webhooks and notifications may reach all the same (CIDR).",
    )
    workers: int = Field(8, description="Outputs served at once.", ge=1, le=256)
    budget: float = Field(
        30.0, description="Seconds an attempt at one output may take before it counts as failed.", gt=0
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


class SchemaSettings(_Section):
    """Where writer schemas of packets come from."""

    folders: Paths = Field((), description="Folders with Avro schemas, MAJOR/MINOR/*.avsc.")
    registry_url: str = Field("", description="Schema registry (Confluent's REST interface).")
    registry_username: str = Field("", description="User name for the registry.")
    registry_password: SecretStr = Field(SecretStr(""), description="Password for the registry.")
    use_installed: bool = Field(True, description="Use the schemas of lsst-alert-packet, if installed.")


class StreamSettings(_Section):
    """How alerts are gathered into batches."""

    batch_alerts: int = Field(5000, description="Alerts in a batch, at most.", ge=1, le=1_000_000)
    batch_bytes: int = Field(
        128 * 1024**2, description="Bytes of messages in a batch, at most (one message may be more).", ge=1024
    )
    batch_wait: float = Field(
        1.0, description="Seconds a batch waits to fill after its first alert, at most.", gt=0, le=600
    )
    poison_limit: int = Field(
        100,
        description="So many alerts of one batch may be rejected because a stage fails on them; "
        "at more the stage is broken, and the worker stops.",
        ge=1,
    )
    subscriptions: Path | None = Field(
        None, description="YAML file of filters, lists and maps to run instead of those of the user database."
    )
    filter_seconds: float = Field(
        2.0, description="Seconds a filter may compute on a batch; then it is stopped.", gt=0
    )
    filter_strikes: int = Field(
        3, description="A filter that takes too long so often in a row is paused for a while.", ge=1
    )
    filter_fraction: float = Field(
        0.1, description="A filter that passes a larger part of the alerts is not activated.", gt=0, le=1
    )


class ContextSettings(_Section):
    """What is known at a place on the sky: catalogues, the contextual classifier, dust, distances."""

    catalogues: Path = Field(
        Path("lasair-catalogues"), description="Folder that `lasair catalogue add` imports into."
    )
    rules: Path | None = Field(
        None, description="Configuration of the contextual classifier, YAML; else the one that we ship."
    )
    dust: Path | None = Field(
        None,
        description="Map of reddening: a folder with the two files of Schlegel et al. 1998, "
        "or a HEALPix file; without, a coarse table that comes with Lasair.",
    )
    hubble: float = Field(70.0, description="Hubble constant, km/s/Mpc.", gt=10, lt=200)
    omega_matter: float = Field(0.3, description="Matter density of a flat universe.", ge=0, le=1)


class ClassifySettings(_Section):
    """Class probabilities of objects."""

    enabled: bool = Field(True, description="Whether objects get class probabilities.")
    model: Path | None = Field(
        None, description="Folder with a model that `lasair train` made; else the one that comes with Lasair."
    )
    priors: Path | None = Field(
        None, description="Rates of the classes over the sky, YAML; else those that come with Lasair."
    )
    shift: bool = Field(
        True,
        description="Turn probabilities from the mixture that the model was trained on to that expected at "
        "the place, with what the context stage says.",
    )
    others: tuple[Path, ...] = Field(
        (),
        description="YAML files of other people's models, which run beside ours; see `lasair model check`.",
    )
    threads: int = Field(1, description="Threads that an ONNX model may use for a batch.", ge=1, le=64)


class TnsSettings(_Section):
    """The bot that fetches the lists of the Transient Name Server."""

    bot_id: int | None = Field(None, description="Number of the bot.")
    bot_name: str = Field("", description="Its name.")
    api_key: SecretStr = Field(SecretStr(""), description="Its key.")
    url: str = Field(
        "https://www.wis-tns.org/system/files/tns_public_objects/",
        description="Where the lists are.",
        pattern=r"^https?://.*/$",
    )
    every: float = Field(
        60.0,
        description="Minutes after which `lasair run` looks for new lists, if there is a bot; 0: never.",
        ge=0,
    )


class MetricsSettings(_Section):
    """The pages of workers for those who watch them: /metrics, /health/live, /health/ready."""

    port: int | None = Field(None, description="TCP port; none: no pages; 0: any free port.", ge=0, le=65535)
    address: str = Field("127.0.0.1", description="Address to listen at.")


class TelemetrySettings(_Section):
    """Traces of batches, requests and jobs, for an OpenTelemetry collector."""

    endpoint: str = Field(
        "",
        description="Address of a collector that takes OTLP over HTTP, http://collector:4318 say; none: "
        "nothing is traced. Needs the extra lasair-broker[otel]; headers, certificates and the like are set "
        "by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_HEADERS).",
        pattern=r"^(https?://\S+)?$",
    )
    fraction: float = Field(1.0, description="The part of all traces that is recorded.", ge=0, le=1)


class SiteSettings(_Section):
    """The web site and the API."""

    port: int | None = Field(
        None, description="TCP port; none: `lasair run` serves no site; 0: any free port.", ge=0, le=65535
    )
    address: str = Field("127.0.0.1", description="Address to listen at.")
    hosts: Texts = Field(
        (), description="Names under which it is reached, besides localhost; .example.org is any of a domain."
    )
    https: bool = Field(
        False, description="It is reached by https only, through a proxy that sets X-Forwarded-Proto."
    )
    proxies: int = Field(
        0,
        description="Proxies before it, each of which adds to X-Forwarded-For.",
        ge=0,
    )
    threads: int = Field(32, description="Requests answered at once by a process.", ge=2, le=1024)
    upload_bytes: int = Field(
        256 * 1024**2, description="Largest upload: of a watchlist, say (bytes).", ge=1024
    )
    anonymous_requests: int = Field(
        100, description="API requests an hour of an address, without logging in.", ge=1
    )
    user_requests: int = Field(1000, description="API requests an hour of a user.", ge=1)
    stream_metrics: str = Field(
        "",
        description="Address of the metrics of the stream that the status shows, http://worker:9105/metrics "
        "say; none: that of metrics.port, where the stream runs in the same process.",
        pattern=r"^(https?://\S+)?$",
    )
    sign_up: bool = Field(
        True,
        description="Anybody may open an account; needs a mail server (delivery.mail_host), to verify "
        "addresses.",
    )
    orcid_client: str = Field("", description="Client ID for logging in with ORCID; none: not offered.")
    orcid_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    github_client: str = Field("", description="Client ID for logging in with GitHub; none: not offered.")
    github_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    image_hosts: Texts = Field(
        (),
        description="Hosts that pages may load images of other surveys from, by https, such as "
        "alasky.cds.unistra.fr; *.example.org is any of a domain. None: pages ask nobody but this site.",
    )
    image_service: str = Field(
        "",
        description="Address of a service that cuts pictures out of other surveys as CDS's hips2fits does, "
        "https://alasky.cds.unistra.fr/hips-image-services/hips2fits say; its host must be among "
        "image_hosts.",
        pattern=r"^(https://[^\s?#]+)?$",
    )
    links: dict[str, str] = Field(
        default_factory=dict,
        description="More links of objects: addresses with {ra}, {decl}, {diaObjectId} or {objectName} in "
        "them, "
        "by name. One with the name of a link of ours replaces it; an empty address removes it.",
    )
    aladin: Path | None = Field(
        None,
        description="Folder with Aladin Lite (aladin.js), which is GPL and so does not come with Lasair; "
        "by default where `make aladin` puts it.",
    )
    power_requests: int = Field(100_000, description="API requests an hour of a power user.", ge=1)
    job_threads: int = Field(
        2, description="Background queries that a process of the site runs at once; 0: none.", ge=0, le=64
    )
    results: Path | None = Field(
        None,
        description="Folder of the results of background queries, which all processes of the site must see. "
        "Default: results beside an embedded archive, else lasair-results.",
    )
    results_days: float = Field(7.0, description="Days for which these are kept.", gt=0)

    @field_validator("links")
    @classmethod
    def _are_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for name, address in value.items():
            if address and not re.match(r"https?://", address, re.IGNORECASE):
                raise ValueError(f"the address of {name} must begin with https://")
        return value

    @field_validator("image_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?", host, re.IGNORECASE):
                raise ValueError(f"{host} is no name of a host; write it without https:// and path")
        return value


class PhotometrySettings(_Section):
    """Services of other surveys from which the site fetches photometry for users; each is off without its
    address."""

    ztf: str = Field(
        "",
        description="ZTF's light curves at IRSA, https://irsa.ipac.caltech.edu/cgi-bin/ZTF/nph_light_curves "
        "say.",
    )
    atlas: str = Field(
        "",
        description="ATLAS' forced photometry, https://fallingstar-data.com/forcedphot say; needs a token.",
    )
    atlas_token: SecretStr = Field(SecretStr(""), description="Token of the site's account at ATLAS.")
    panstarrs: str = Field(
        "",
        description="Pan-STARRS' catalogues at MAST, https://catalogs.mast.stsci.edu/api/v0.1/panstarrs say.",
    )
    seconds: float = Field(60.0, description="The longest that one answer may take.", gt=0, le=600)
    megabytes: int = Field(20, description="The largest answer that is taken.", ge=1, le=500)
    an_hour: int = Field(
        20, description="So often may a user have photometry fetched from each service in an hour.", ge=1
    )
    poll_seconds: float = Field(
        10.0, description="After so long a task at a service is looked after again.", gt=0, le=600
    )
    hours: float = Field(6.0, description="A task at a service that has not ended by then is given up.", gt=0)

    @field_validator("ztf", "atlas", "panstarrs")
    @classmethod
    def _are_safe(cls, value: str) -> str:
        local = re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])[:/]", value)
        if value and not local and not re.fullmatch(r"https://[^\s?#@]+", value):
            raise ValueError("must be an address that begins with https://, without ? and #")
        return value


class SendingSettings(_Section):
    """TOMs and SkyPortals to which users may send objects."""

    hosts: Texts = Field(
        (),
        description="Their hosts, such as fritz.science; one beginning with a dot stands for all below it. "
        "None: nothing is sent.",
    )
    seconds: float = Field(60.0, description="The longest that one answer may take.", gt=0, le=600)
    megabytes: int = Field(20, description="The largest answer that is taken.", ge=1, le=500)
    an_hour: int = Field(60, description="So often may a user send to each destination in an hour.", ge=1)


class LoggingSettings(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level shown.")
    format: Literal["console", "json"] = Field(
        "console", description="For people, or one JSON object a line."
    )


class Settings(BaseSettings):
    """All settings. Each can be set by an environment variable, ``LASAIR_<SECTION>__<NAME>``.

    What is passed to the constructor counts most, then the environment, then the file, then the defaults.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    archive: ArchiveSettings = ArchiveSettings()
    kafka: KafkaSettings = KafkaSettings()
    delivery: DeliverySettings = DeliverySettings()
    schemas: SchemaSettings = SchemaSettings()
    stream: StreamSettings = StreamSettings()
    context: ContextSettings = ContextSettings()
    classify: ClassifySettings = ClassifySettings()
    tns: TnsSettings = TnsSettings()
    messengers: MessengersSettings = MessengersSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    site: SiteSettings = SiteSettings()
    photometry: PhotometrySettings = PhotometrySettings()
    sending: SendingSettings = SendingSettings()
    logging: LoggingSettings = LoggingSettings()


def load(path: str | os.PathLike[str] | None = None, **values: Any) -> Settings:
    """Read the settings from `values`, the environment and a file, in this order of weight.

    Parameters
    ----------
    path
        A TOML or YAML file; by default the one the environment variable LASAIR_CONFIG names, if any.
    values
        Sections as mappings, for instance ``kafka={"bootstrap": "localhost:9092"}``.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or has a value that cannot be used. The message
        names each such setting as ``section.name``, and the variable that sets it.
    """
    named = path if path is not None else os.environ.get(CONFIG_VARIABLE)
    from_file = _read_file(Path(named)) if named else {}

    class FromEverywhere(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Environment(settings_cls), InitSettingsSource(settings_cls, from_file)

    try:
        found = FromEverywhere(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, f"the file {named}" if named else "")) from None
    return Settings.model_construct(**{name: getattr(found, name) for name in Settings.model_fields})


class _Environment(EnvSettingsSource):
    """The environment, where a list may be JSON or text with commas, which the validators understand."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not valid: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"the settings file {path} has no sections: it should map section to settings")
    return values


def _explain(error: ValidationError, file: str) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        name = ".".join(place)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place[-1], _names_beside(place), n=1)
            hint = f"; did you mean {'.'.join([*place[:-1], near[0]])}?" if near else ""
            lines.append(f"{name}: there is no such setting{hint}")
        else:
            lines.append(f"{name} (environment {ENV_PREFIX}{'__'.join(place[:2]).upper()}): {problem['msg']}")
    return "\n".join(
        [f"settings are not valid{', see the environment and ' + file if file else ''}:", *lines]
    )


def _names_beside(place: list[str]) -> list[str]:
    """The settings that could stand where the misspelt one does."""
    if len(place) == 1:
        return list(Settings.model_fields)
    section = Settings.model_fields[place[0]].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
