"""The site file's shape as msgspec structs: ranges and words stand here once, for checks and JSON schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType

END = r"(?!\n)$"
"""The end itself: `$` alone also stands before a last newline."""
PREFIX_MAX = 128
"""Characters; a topic has 65,535 bytes at most (MQTT 5, 1.5.4), and each message carries it."""

Id = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9_-]{{0,62}}{END}", description="lower case, digits, _ and -")]
PRINCIPAL_MAX = 64
"""Characters of a principal: it is saved with each request and stands in the topic of each reply."""
PRINCIPAL = rf"^[A-Za-z0-9][A-Za-z0-9._@-]{{0,{PRINCIPAL_MAX - 1}}}{END}"
Principal = Annotated[str, Meta(pattern=PRINCIPAL, description="letters, digits, . _ @ and -; a level of the topic")]
Unit = Annotated[int, Meta(ge=0, le=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Which = (
    Annotated[int, Meta(ge=1, le=200, description="the section's number, as `derctl scan` shows it")]
    | Annotated[str, Meta(min_length=1, max_length=64, description="Opt or serial number of the section's model 1")]
)
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]


class SiteSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """site: the house and how the daemon runs in it."""

    id: Id
    fleet: Id = "default"
    v_nom_v: Annotated[float, Meta(ge=50, le=1000, description="phase to neutral")]
    f_nom_hz: Literal[50, 60]
    mode: Literal["observe", "control"] = "observe"
    tick_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.0
    state_dir: str = "/var/lib/derctl"
    socket: str = "/run/derctl/derctl.sock"
    clock_sync: Annotated[
        str, Meta(description="auto: ask the kernel; assume: taken as set; else a file that exists once it is")
    ] = "auto"


class TlsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt.tls: ca_file, and a client certificate where the broker wants one."""

    ca_file: str
    cert_file: str | None = None
    key_file: str | None = None


class PrincipalSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt.principals[]: who may command over MQTT, by the name that the broker lets it use in the topic."""

    name: Principal
    may_arm: bool = False


class MqttSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt: the broker. Without this section the daemon works alone."""

    host: str
    port: Port = 1883
    prefix: Annotated[
        str,
        Meta(
            pattern=rf"^[^#+$\x00-\x1f\x7f-\x9f\ud800-\udfff]+{END}",
            max_length=PREFIX_MAX,
            description="no #, + or $",
        ),
    ] = "derctl"
    username: str | None = None
    password_file: str | None = None
    tls: TlsSection | None = None
    principals: list[PrincipalSection] = []
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    measurement_every_s: Annotated[float, Meta(ge=1, le=86400)] = 60.0
    measurement_min_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0


class WireSection(Protocol):
    """What each wire of a bus says of itself."""

    @property
    def endpoint(self) -> tuple[object, ...]:
        """The same for two sections that lead to the same place."""
        ...

    @property
    def name(self) -> str:
        """The place as people write it, and as `derctl scan` takes it."""
        ...


class TcpSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[].tcp: host and port of a Modbus TCP server."""

    host: str
    port: Port = 502

    @property
    def endpoint(self) -> tuple[object, ...]:
        return "tcp", self.host.lower(), self.port

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of(cls, word: str) -> TcpSection:
        """host, host:port, [v6]:port. Raises ValueError."""
        if word.startswith("["):
            host, _, rest = word[1:].partition("]")
            port = rest.removeprefix(":")
        else:
            host, _, port = word.partition(":")
        if not host or not (port or "502").isdecimal() or not 1 <= int(port or 502) <= 65535:
            raise ValueError(f"{word!r} is no HOST, HOST:PORT (1 to 65535) or [IPV6]:PORT")
        return cls(host=host, port=int(port or 502))


class BusSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[]: one wire with all its unit ids. What is not given comes from the slowest profile on it."""

    id: Id
    tcp: TcpSection | UnsetType = UNSET
    timeout_s: Annotated[float, Meta(ge=0.05, le=60)] | None = None
    min_interval_s: Annotated[float, Meta(ge=0, le=10)] | None = None
    connect_delay_s: Annotated[float, Meta(ge=0, le=60)] | None = None
    backoff_s: Annotated[float, Meta(ge=1, le=600)] | None = None
    header: Annotated[
        Literal["strict", "ignore_transaction", "ignore_unit"],
        Meta(description="what of an answer's header may differ from its request's; not strict: one unit id only"),
    ] = "strict"


class RatingSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ders[].rating: what the installer read off the nameplate; a device that says otherwise is refused."""

    p_max_w: Positive | None = None
    p_charge_max_w: Positive | None = None
    s_max_va: Positive | None = None


class FallbackSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ders[].fallback: what the DER does without derctl, and what makes it so."""

    p_ceiling_w: NotNegative | None = None
    by: Literal["reversion", "stands", "device"] = "reversion"
    after_s: Annotated[float, Meta(ge=5, le=3600)] = 60.0


class BmsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ders[].bms: the battery's own management system. The DER's own bus and unit: model 802 in the same chain."""

    bus: Id
    unit: Unit
    section: Which | None = None
    serial: str | None = None
    model: str | None = None
    profile: str = "generic"


class DerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ders[]: one DER."""

    id: Id
    bus: Id
    unit: Unit
    kind: str
    section: Which | None = None
    profile: str = "generic"
    serial: str | None = None
    model: str | None = None
    rating: RatingSection = RatingSection()
    control: bool = True
    fallback: FallbackSection = FallbackSection()
    bms: BmsSection | None = None
    own_functions: Literal["read", "off"] = "read"

    @property
    def bms_here(self) -> bool | None:
        """Whether its management system is in its own chain; None where nothing is said of one."""
        return None if self.bms is None else (self.bms.bus, self.bms.unit) == (self.bus, self.unit)


class PocSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """poc: the meter at the point of connection."""

    bus: Id
    unit: Unit
    kind: str = "sunspec_meter"
    section: Which | None = None
    profile: str = "generic"
    serial: str | None = None
    model: str | None = None
    sign: Literal[1, -1]


class SiteFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Literal[1]
    site: SiteSection
    mqtt: MqttSection | None = None
    buses: list[BusSection]
    ders: list[DerSection]
    poc: PocSection | None = None
    functions: list[dict[str, Any]] = []
