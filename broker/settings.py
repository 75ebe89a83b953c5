"""Every setting of `mitoyen up`, read once. Each is also an environment variable `MITOYEN_…`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker import times
from broker.errors import Malformed
from broker.signup import Mode
from broker.vision.level import LEVELS, Level, LevelName, Limits, changed


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:  # noqa: PLR2004 - TCP's
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:8080")
    return value


def _duration(value: str) -> str:
    try:
        times.parse_duration(value)
    except Malformed as error:
        raise ValueError(str(error)) from error
    return value


def _no_password(value: str) -> str:
    if urlsplit(value.removeprefix("influx:")).password:
        raise ValueError("no password in a URL: give it in the environment, or in a file of the folder MITOYEN_SECRETS")
    return value


def _registry(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "postgresql" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("expected postgresql://USER@HOST:PORT/DATABASE; left out, the registry is SQLite in the home")
    return _no_password(value)


def _store(value: str) -> str:
    if value != "sqlite" and not value.startswith(("influx:http://", "influx:https://")):
        raise ValueError("expected sqlite, or influx:URL such as influx:http://127.0.0.1:8086")
    return _no_password(value)


def _journal(value: str) -> str:
    hosts = urlsplit(value).netloc if value.startswith(("nats://", "tls://")) else ""
    if value == "sqlite":
        return value
    if "@" in hosts:
        raise ValueError("no password in a URL: give it in the environment, or in a file of the folder MITOYEN_SECRETS")
    try:
        [_address(host) for host in hosts.split(",")]
    except ValueError as error:
        raise ValueError("expected sqlite, or nats://HOST:PORT, several servers with commas between them") from error
    return value


def _web(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an address of the web, such as https://broker.example")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no name or password in an address, which is shown to others")
    return value.rstrip("/")


def _tiles(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(parts.netloc)
        or not all(one in value for one in ("{z}", "{x}", "{y}"))
    ):
        raise ValueError("expected an address with {z}, {x} and {y}, such as https://tiles.example/{z}/{x}/{y}.png")
    return value


def _issuer(value: str) -> str:
    """As the provider spells itself: to the last slash."""
    if not _web(value).startswith("https://") and urlsplit(value).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("expected https")
    return value


def _addresses(value: str) -> str:
    for one in value.split():
        _address(one)
    return value


def _mounted(value: str) -> str:
    for one in value.split():
        address, _, below = one.partition("=")
        _address(address)
        if not _GATEWAY.fullmatch(below):
            raise ValueError("expected HOST:PORT=ORGANISATION/GATEWAY, several separated by blanks")
    return value


_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_GATEWAY = re.compile(r"[a-z0-9_-]{1,63}/[a-z0-9_-]{1,63}")


def _levels(value: dict[LevelName, dict[str, object]]) -> dict[LevelName, dict[str, object]]:
    for name, changes in value.items():
        changed(LEVELS[name], changes)
    return value


Address = Annotated[str, AfterValidator(_address)]
Duration = Annotated[str, AfterValidator(_duration)]


class Listener(NamedTuple):
    """A place where Mosquitto listens."""

    kind: str
    """mqtt, mqtts, mtls, ws or wss."""
    host: str
    port: int
    mount: str = ""
    """What Mosquitto puts before every topic there."""

    @property
    def tls(self) -> bool:
        return self.kind in ("mqtts", "mtls", "wss")

    @property
    def websockets(self) -> bool:
        return self.kind in ("ws", "wss")


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What the operator asks of those who share and use."""

    justify_purposes: bool = False
    webhook_loopback: bool = False
    webhook_retry_ns: int = 5 * times.SECOND
    signup: Mode = "automatic"
    signup_criteria: tuple[str, ...] = ()
    signup_unused_ns: int = 30 * times.DAY


class PictureSettings(BaseSettings):
    """How pictures are looked at, in a running broker and by `mitoyen redact` alike."""

    model_config = SettingsConfigDict(env_prefix="MITOYEN_", frozen=True, extra="ignore")

    models: Path | None = None
    """The folder with the networks; left out: where `scripts/setup` puts them."""
    levels: Annotated[dict[LevelName, dict[str, object]], AfterValidator(_levels)] = {}
    """Numbers of a level that are to be others than `broker/vision/level.py` has, as JSON: {"normal": {"face_likelihood": 0.1}}."""
    picture_max_mb: Annotated[float, Field(gt=0, le=256)] = 2.0
    """A picture with more bytes is refused unread: Mosquitto takes no larger message (`mqtt_message_kb`)."""
    picture_max_megapixels: Annotated[float, Field(gt=0, le=100)] = 16.0
    """A picture with more pixels is refused before it is decoded: 16 are 48 MB in memory, a few bytes in a bomb."""

    @property
    def models_folder(self) -> Path:
        return self.models if self.models is not None else Path(__file__).parents[1] / "models"

    @property
    def all_levels(self) -> dict[LevelName, Level]:
        return {name: self.level(name) for name in LEVELS}

    def level(self, name: LevelName) -> Level:
        """A level, with what is set of it."""
        return changed(LEVELS[name], self.levels.get(name, {}))

    @property
    def picture_limits(self) -> Limits:
        return Limits(int(self.picture_max_mb * (1 << 20)), int(self.picture_max_megapixels * 1e6))


class Settings(PictureSettings):
    """One per process, passed down as plain values."""

    home: Path
    """Everything that is kept lies here."""
    http: Address = "127.0.0.1:8080"
    mqtt: Address = "127.0.0.1:1883"
    edges: Annotated[str, AfterValidator(_addresses)] = ""
    """Where further Mosquittos listen, HOST:PORT, several separated by blanks: gateways and applications of an organisation are sent to one of
    them all. Each has a process of its own that takes in. Needs a journal on NATS."""
    mqtts: Address | None = None
    """Further places where Mosquitto listens: MQTT over TLS,"""
    mqtt_mtls: Address | None = None
    """over TLS for those alone who show a certificate of `tls_client_ca`, besides name and password,"""
    mqtt_ws: Address | None = None
    """over WebSockets,"""
    mqtt_wss: Address | None = None
    """over WebSockets and TLS."""
    mqtt_mounted: Annotated[str, AfterValidator(_mounted)] = ""
    """For devices that can't put anything before their topics: HOST:PORT=ORGANISATION/GATEWAY, several separated by blanks. What is
    published there goes below that gateway's topic; it logs in as everywhere."""
    tls_certificate: Path | None = None
    """The server's certificate with its chain, in PEM, for all of them;"""
    tls_key: Path | None = None
    """its key;"""
    tls_client_ca: Path | None = None
    """the authorities whose certificates gateways show."""
    mqtt_host: str | None = None
    """The name that gateways and applications are told to connect to; left out: what is listened on."""
    http_url: Annotated[str, AfterValidator(_web)] | None = None
    """The address that others reach HTTP at, such as https://broker.example, for links where nobody asked for them: in messages over
    MQTT. Left out: what is listened on."""
    partitions: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Into how many partitions organisations are spread, each with a journal and a keeper of its own. Fixed at the first start: several where
    one core will not do, more of them than cores, since a partition can be given to another worker but not be divided."""
    workers: Annotated[int, Field(ge=1, le=1_024)] | None = None
    """Processes that serve them; left out: one a partition."""
    store: Annotated[str, AfterValidator(_store)] = "sqlite"
    registry: Annotated[str, AfterValidator(_registry)] | None = None
    """A PostgreSQL URL; SQLite in the home if it is left out."""
    registry_password: str | None = None
    """Like every password here in the environment, or in a file `mitoyen_registry_password` of the folder that `MITOYEN_SECRETS`
    names, as systemd's credentials and containers' secrets are given."""
    journal: Annotated[str, AfterValidator(_journal)] = "sqlite"
    """nats://HOST:PORT,HOST:PORT (or tls://) of NATS servers with JetStream; left out, the journal is a SQLite file in the home."""
    journal_stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")] | None = None
    """What its streams are named, with the partition's number behind it; left out: a name of this home's own."""
    journal_replicas: Annotated[int, Field(ge=1, le=5)] = 3
    """Servers that have each batch: of three, one may be lost. A batch is acknowledged when a majority has it."""
    journal_username: str | None = None
    """Where NATS asks for names; with"""
    journal_password: str | None = None
    """its password,"""
    journal_ca: Path | None = None
    """the authorities that signed the servers' certificates, in PEM (left out: those that the machine trusts),"""
    journal_certificate: Path | None = None
    """and the certificate that is shown to servers which ask for one,"""
    journal_key: Path | None = None
    """with its key."""
    influx_admin_username: str | None = None
    """Where InfluxDB asks for names: who may create databases and users. Left out, both must be there already."""
    influx_admin_password: str | None = None
    influx_username: str | None = None
    """Who writes both databases."""
    influx_password: str | None = None
    influx_reader_username: str | None = None
    """Who reads the released database alone: all that the HTTP side is given."""
    influx_reader_password: str | None = None
    influx_organisation: str | None = None
    """Where InfluxDB is a 2.x: the organisation there whose buckets they are. It asks for tokens in place of names:"""
    influx_admin_token: str | None = None
    """one that may create buckets; left out, both must be there already;"""
    influx_token: str | None = None
    """one that may read and write both;"""
    influx_reader_token: str | None = None
    """and one that may read the released bucket alone."""
    influx_database: str | None = None
    """Databases are this name with `_raw` and `_released`; a name of this home's own if it is left out."""
    ahead: Duration = "PT5M"
    """How far a record's time may lie ahead of ours: clocks without NTP drift by minutes, not by hours."""
    lateness: Duration = "PT20S"
    """How long after a window's end its records are waited for: a gateway's retry, and well within the minute in which a
    window is to be released."""
    ground: Path | None = None
    """GeoJSON that the portal's map draws under the sensors (`docs/portal.md` says what it is made of); left out: the simulated city's."""
    tiles: Path | None = None
    """A PMTiles file that the portal's map draws in place of that: vector tiles with OpenMapTiles' or Protomaps' layers, or pictures."""
    tile_server: Annotated[str, AfterValidator(_tiles)] | None = None
    """Or where browsers get tiles as pictures from, such as https://tiles.example/{z}/{x}/{y}.png: the only other server that they ask, and
    it learns who looks at what. Left out: none."""
    tiles_attribution: str = ""
    """Whom the map names for either; most licences ask for it."""
    silent_after: Duration = "PT10M"
    """How long a gateway or a datastream may say nothing before it counts as silent: most sensors speak every few minutes."""
    hangs_after: Duration = "PT1M"
    """How long a part may say nothing before it is killed and started again: Mosquitto writes 256 MB of queue within this."""
    wrapping_key: Path | None = None
    """The file with the key that seals pseudonyms' secrets: apart from the home's backups, or destroyed secrets live on in them. Left out:
    `run/wrapping.key` in the home, so leave `run` out of them."""
    notice_before: Duration = "P7D"
    """How long before an agreement ends by itself its application is told."""
    checkpoint_every: Duration = "PT1H"
    """How often the ledger is signed by itself: whoever rewrites it can at most have an hour that nobody holds a signature of. An
    export is always signed to its end."""
    justify_purposes: bool = False
    """Whether terms may restrict purposes only with a published justification, as public-data law asks of public bodies."""
    signup: Mode = "automatic"
    """Whether `POST /api/v1/signup` makes an organisation at once, by published `criteria` that you decide on, or not at all."""
    signup_criteria: tuple[str, ...] = ()
    """What sign-ups are decided by: a JSON list of sentences, public."""
    signup_per_hour: Annotated[int, Field(ge=1)] = 5
    """Sign-ups from one address: enough for a class in one room to share an afternoon, too few to fill the registry."""
    signup_unused: Duration = "P30D"
    """When what nobody decided, or nobody used, ends by itself."""
    webhook_loopback: bool = False
    """Whether webhooks may go to this machine, without TLS too: for tests, and for an operator's own programs."""
    webhook_retry: Duration = "PT5S"
    """How long after a first attempt that failed a webhook is tried again. Each pause is six times the one before, seven attempts
    in all: half a day, as Standard Webhooks recommends."""
    batch_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    """Records that are journalled at the latest together: 1 MB, and 30 ms of work."""
    batch_delay_ms: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """How long a message waits for company before it is journalled: a commit costs 0.5 ms, so at 2,000 messages/s this saves
    two thirds of them."""
    journal_limit_mb: Annotated[int, Field(ge=16)] = 4_096
    """When the journal holds this much, nothing more is acknowledged: a day of a city's 1,000 records/s."""
    requests_per_key: Annotated[float, Field(gt=0)] = 200
    """Calls a second with one key, ten times as many at once: a notebook that pages through history asks 20 times a second, and
    ten of them may share a key."""
    requests_per_address: Annotated[float, Field(gt=0)] = 1_000
    """Calls a second from one address, with any key or none: an office or a proxy with five such keys. More than two cores answer."""
    wrong_keys: Annotated[int, Field(ge=1)] = 1_000
    """Calls a minute with wrong keys from one address; then no key from there is looked at until it pauses. Nobody guesses 256 random
    bits, so this bounds what trying costs: a second's work a minute."""
    trusted_proxies: str | None = None
    """Addresses, with commas between them, of proxies that are believed when they say whom they call for (X-Forwarded-For)."""
    http_connections: Annotated[int, Field(ge=1)] = 10_000
    """Connections to HTTP at once, streams included: each costs some 20 KB and a file descriptor. More are answered 503 and closed."""
    http_head_kb: Annotated[int, Field(ge=1)] = 64
    """What a request's address and headers may have, as other servers take it."""
    http_body_mb: Annotated[int, Field(ge=1)] = 4
    """What its body may have: an offer of 10,000 datastreams has 1 MB, a payload that is tried out 2."""
    http_within_s: Annotated[float, Field(gt=0)] = 30.0
    """How long its head, and then its body, may take to arrive: 4 MB by a bad mobile connection."""
    mqtt_connections: Annotated[int, Field(ge=1)] = 10_000
    """Connections to each of the listeners but `mqtt`, which the broker itself needs: a flood there leaves this one free, and
    each costs Mosquitto some 10 KB and a file descriptor. Mosquitto 2.0 does not count WebSockets."""
    mqtt_message_kb: Annotated[int, Field(ge=64, le=262_143)] = 2_048
    """The largest message on any listener: a pack of 10,000 records, or a camera's frame (`picture_max_mb`)."""
    queue_mb: Annotated[int, Field(ge=1)] = 256
    """What Mosquitto holds in memory for one client that does not fetch it, and a quarter more that is in flight."""
    camera_workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes that look at cameras' frames, one picture each at a time; left out: one a core. They step aside for everything else."""
    frame_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """A frame that takes longer is not released: a large one takes some 5 s on a busy machine."""
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    """An OpenID Connect provider with which people sign in to the portal, besides keys; left out: keys alone. It may be on a private network."""
    oidc_client_id: str | None = None
    """What it knows this broker as; it sends people back to `/session/provider/answer` below `http_url`."""
    oidc_client_secret: str | None = None
    """Left out for a public client: PKCE secures both."""
    oidc_organisation_claim: str = "mitoyen_organisation"
    """The claim of its identity tokens that names the organisation whose key somebody's session is to count as: its id, or a list with one such."""
    oidc_scopes: str = "openid"
    """What it is asked for: some providers put the claim under a scope of its own."""
    catalogues: tuple[Annotated[str, AfterValidator(_web)], ...] = ()
    """Catalogues of other brokers whose datasets are shown here, as a JSON list of their addresses in Turtle: ["https://broker.example/catalog.ttl"]."""
    catalogues_every: Duration = "PT1H"
    """How often they are read: what disappears there is shown here for no longer."""
    catalogues_loopback: bool = False
    """Whether they may be on this machine, without TLS too: for tests."""
    sensorthings_write: bool = False
    """For conformance suites alone, on loopback: `/v1.1` is a throw-away graph that anyone may write to, in place of what was released."""
    mosquitto: str = "mosquitto"
    """The program."""

    @model_validator(mode="after")
    def _written_on_loopback(self) -> Self:
        host, _ = self.http_address
        if self.sensorthings_write and host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("sensorthings_write: only where HTTP is served on loopback, for anyone may write then")
        return self

    @model_validator(mode="after")
    def _one_kind_of_tiles(self) -> Self:
        if self.tiles is not None and self.tile_server is not None:
            raise ValueError("expected MITOYEN_TILES or MITOYEN_TILE_SERVER, not both")
        return self

    @model_validator(mode="after")
    def _client_of_an_issuer(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("expected MITOYEN_OIDC_ISSUER and MITOYEN_OIDC_CLIENT_ID together")
        return self

    @model_validator(mode="after")
    def _catalogues_over_tls(self) -> Self:
        if not self.catalogues_loopback and not all(one.startswith("https://") for one in self.catalogues):
            raise ValueError("catalogues: expected https")
        return self

    @model_validator(mode="after")
    def _edges_need_nats(self) -> Self:
        if self.edges and self.journal == "sqlite":
            raise ValueError("edges: they need a journal that several processes write, --journal nats://…")
        if self.edges and self.partitions == 1:
            raise ValueError("edges: they need several partitions")
        return self

    @model_validator(mode="after")
    def _criteria_are_published(self) -> Self:
        if (self.signup == "criteria") != bool(self.signup_criteria):
            raise ValueError("expected MITOYEN_SIGNUP_CRITERIA with MITOYEN_SIGNUP=criteria, and only then")
        return self

    @property
    def oidc_provider(self) -> str | None:
        """What people know it as."""
        return urlsplit(self.oidc_issuer).hostname if self.oidc_issuer is not None else None

    @classmethod
    def read(cls, **given: object) -> Settings:
        """What was given on the command line, else the environment, else the secrets' folder. Raises Malformed, ValidationError."""
        folder = os.environ.get("MITOYEN_SECRETS")
        if folder is not None:
            _check_private(Path(folder))
        known = {name: value for name, value in given.items() if value is not None}
        return cls(_secrets_dir=folder, **known)  # type: ignore[arg-type]  # pydantic checks them

    @property
    def worker_count(self) -> int:
        return min(self.workers or self.partitions, self.partitions)

    @property
    def ahead_ns(self) -> int:
        return times.parse_duration(self.ahead)

    @property
    def lateness_ns(self) -> int:
        return times.parse_duration(self.lateness)

    @property
    def silent_after_ns(self) -> int:
        return times.parse_duration(self.silent_after)

    @property
    def hangs_after_s(self) -> float:
        return times.parse_duration(self.hangs_after) / times.SECOND

    @property
    def notice_before_ns(self) -> int:
        return times.parse_duration(self.notice_before)

    @property
    def checkpoint_every_ns(self) -> int:
        return times.parse_duration(self.checkpoint_every)

    @property
    def catalogues_every_ns(self) -> int:
        return times.parse_duration(self.catalogues_every)

    @property
    def house_rules(self) -> HouseRules:
        retry = times.parse_duration(self.webhook_retry)
        return HouseRules(
            self.justify_purposes,
            self.webhook_loopback,
            retry,
            self.signup,
            self.signup_criteria,
            times.parse_duration(self.signup_unused),
        )

    @property
    def web_address(self) -> str:
        """Where others reach HTTP, without a slash at its end."""
        return self.http_url or f"http://{self.http}"

    @property
    def mqtt_address(self) -> tuple[str, int]:
        return split(self.mqtt)

    @property
    def mqtt_addresses(self) -> tuple[tuple[str, int], ...]:
        """The plain listener of each Mosquitto."""
        return (self.mqtt_address, *(split(one) for one in self.edges.split()))

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All places where Mosquitto listens, the plain one first."""
        named = {
            "mqtt": self.mqtt,
            "mqtts": self.mqtts,
            "mtls": self.mqtt_mtls,
            "ws": self.mqtt_ws,
            "wss": self.mqtt_wss,
        }
        return tuple(Listener(kind, *split(address)) for kind, address in named.items() if address is not None)

    def listeners_of(self, mosquitto: int) -> tuple[Listener, ...]:
        """Where one of the Mosquittos listens: the first wherever it is set, the others for plain MQTT at one address each."""
        if mosquitto == 0:
            return (*self.listeners, *self.mounted)
        return (Listener("mqtt", *self.mqtt_addresses[mosquitto]),)

    @property
    def mounted(self) -> tuple[Listener, ...]:
        """Places where Mosquitto listens for one gateway each."""
        pairs = [one.split("=") for one in self.mqtt_mounted.split()]
        return tuple(Listener("mqtt", *split(address), mount=f"in/{below}/") for address, below in pairs)

    @property
    def http_address(self) -> tuple[str, int]:
        return split(self.http)


def _check_private(folder: Path) -> None:
    try:
        shared = [file.name for file in folder.iterdir() if file.is_file() and file.stat().st_mode & 0o077]
    except OSError as error:
        raise Malformed(f"MITOYEN_SECRETS: expected a folder of files: {error}") from error
    if shared:
        raise Malformed(f"MITOYEN_SECRETS: {', '.join(shared)}: readable by others, expected mode 0600")


def split(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
