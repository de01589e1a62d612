"""The site file's shape as msgspec structs: ranges and words stand here once, for checks and JSON schema."""

from __future__ import annotations

import re
from posixpath import normpath
from typing import Annotated, Any, Literal, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert

from derctl.core.transaction import Serial

END = r"(?!\n)$"
"""The end itself: `$` alone also stands before a last newline."""
PREFIX_MAX = 128
"""Characters; a topic has 65,535 bytes at most (MQTT 5, 1.5.4), and each message carries it."""

SERIAL = re.compile(r"(?P<port>.+?)(?::(?P<baud>[0-9]{3,7})(?::8(?P<parity>[NEO])(?P<stop>[12]))?)?", re.DOTALL)
"""A serial place of the command line: a path may have colons of its own, as those under by-path do."""
RTU_OVER_TCP = "rtu+tcp://"

Id = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9_-]{{0,62}}{END}", description="lower case, digits, _ and -")]
PRINCIPAL_MAX = 64
"""Characters of a principal: it is saved with each request and stands in the topic of each reply."""
PRINCIPAL = rf"^[A-Za-z0-9][A-Za-z0-9._@-]{{0,{PRINCIPAL_MAX - 1}}}{END}"
Principal = Annotated[str, Meta(pattern=PRINCIPAL, description="letters, digits, . _ @ and -; a level of the topic")]
KEY_ID = rf"^[A-Za-z0-9._-]{{1,64}}{END}"
KEY = rf"^[A-Za-z0-9_-]{{43}}{END}"
Range = Annotated[list[float], Meta(min_length=2, max_length=2, description="least and most, such as [0, 5000]")]
PATH = rf"^/[^\x00-\x20]+{END}"
Line = Annotated[int, Meta(ge=0, le=1023, description="a line of a GPIO chip")]
Unit = Annotated[int, Meta(ge=0, le=255)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Which = (
    Annotated[int, Meta(ge=1, le=200, description="the section's number, as `derctl scan` shows it")]
    | Annotated[str, Meta(min_length=1, max_length=64, description="Opt or serial number of the section's model 1")]
)
Follower = Annotated[str, Meta(min_length=1, max_length=64, description="a charger or battery, as people call it")]
PointName = Annotated[str, Meta(min_length=1, max_length=64, description="model and point, such as 703.ESDlyTms")]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]


class SiteSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """site: the house and how the daemon runs in it."""

    id: Id
    fleet: Id = "default"
    v_nom_v: Annotated[float, Meta(ge=50, le=1000, description="phase to neutral")]
    f_nom_hz: Literal[50, 60]
    grid_code: Annotated[str, Meta(description="whose settings the voltage and frequency functions take")] | None = (
        None
    )
    mode: Literal["observe", "control"] = "observe"
    require_proof: Annotated[
        bool, Meta(description="control only once `derctl verify` has put each DER's fail-safe on record")
    ] = True
    on_override: Annotated[
        Literal["reassert", "yield", "alarm"], Meta(description="where somebody else sets a DER to less than derctl")
    ] = "reassert"
    containment_s: (
        Annotated[float, Meta(ge=1, le=600, description="how long an export above the agreed limit may last")] | None
    ) = None
    scr: (
        Annotated[float, Meta(ge=0.5, le=1000, description="short-circuit power over the rating of all DERs")] | None
    ) = None
    r_over_x: Annotated[float, Meta(ge=0.05, le=50, description="resistance over reactance of the grid")] | None = (
        None
    )
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


class KeySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt.principals[].keys[]: with what a principal signs its commands, and from when to when."""

    id: Annotated[str, Meta(pattern=KEY_ID, description="what the signature's header calls `kid`")]
    public: Annotated[
        str, Meta(pattern=KEY, description="the Ed25519 public key, as `x` of its JWK: 43 characters of base64url")
    ]
    not_before: Annotated[str, Meta(max_length=40, description="a time with its zone, in quotes")] | None = None
    not_after: Annotated[str, Meta(max_length=40, description="a time with its zone, in quotes")] | None = None


class PrincipalSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt.principals[]: who may command over MQTT, by the name that the broker lets it use in the topic."""

    name: Principal
    role: Literal["operator", "aggregator", "owner", "installer"] = "operator"
    may_arm: bool = False
    commands: (
        Annotated[
            list[Annotated[str, Meta(max_length=64)]], Meta(description="these alone, in the place of the role's")
        ]
        | None
    ) = None
    ders: Annotated[list[str], Meta(description="these alone, and not the site as a whole")] | None = None
    ranges: dict[str, Range] = {}
    burst: Annotated[int, Meta(ge=1, le=64, description="commands at once")] = 64
    per_minute: Annotated[float, Meta(ge=0.01, le=300, description="commands a minute, beyond those")] = 300.0
    keys: list[KeySection] = []


class HomeAssistantSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mqtt.home_assistant: the site is announced to it. principal: whose commands it sends, None: it only looks."""

    prefix: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_-][A-Za-z0-9_/-]*{END}", max_length=PREFIX_MAX)] = (
        "homeassistant"
    )
    principal: Principal | None = None
    hold_s: Annotated[int, Meta(ge=60, le=86400, description="how long a limit that it sends counts")] = 86400


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
    home_assistant: HomeAssistantSection | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    measurement_every_s: Annotated[float, Meta(ge=1, le=86400)] = 60.0
    measurement_min_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0


class RecordsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """records: the energy ledger in state_dir."""

    interval_s: Literal[60, 300, 900, 1800] = 900
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 400
    keep_mb: Annotated[int, Meta(ge=1, le=4000)] = 64


class ContactSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """contacts[]: an emergency stop, a DRED or a ripple-control receiver at the GPIO lines of this machine."""

    name: Annotated[str, Meta(pattern=PRINCIPAL, description="who asks: it stands in the records and in status")]
    kind: Literal["emergency_stop", "dred", "ripple_control"]
    chip: Annotated[str, Meta(pattern=PATH, description="such as /dev/gpiochip0")]
    lines: Annotated[dict[str, Line], Meta(description="line numbers of the chip, by what each of them asks for")]
    rest: (
        Annotated[
            Literal["closed", "open"],
            Meta(description="while nothing is asked; by default closed of an emergency stop, else open"),
        ]
        | None
    ) = None
    inverse: Annotated[dict[str, Line], Meta(description="second contacts, each always the other way")] = {}
    loop: Annotated[Line, Meta(description="a circuit through the same cable, closed while it is whole")] | None = (
        None
    )
    closed_is: Annotated[Literal["low", "high"], Meta(description="low: the contact connects the line to ground")] = (
        "low"
    )
    pull: Annotated[Literal["internal", "external"], Meta(description="the resistor of an open line")] = "internal"
    debounce_s: Annotated[float, Meta(ge=0.02, le=10, description="until a tighter word counts")] | None = None
    release_s: Annotated[float, Meta(ge=0.1, le=3600, description="until a looser word counts")] = 5.0
    latch: (
        Annotated[bool, Meta(description="an emergency stop stays until it is lifted; true where nothing is said")]
        | None
    ) = None
    limits: Annotated[Literal["generation", "export"], Meta(description="what its share is a limit of")] = (
        "generation"
    )
    rated_w: (
        Annotated[float, Meta(gt=0, le=1e8, description="what 100 % is; the sum of the DERs if absent")] | None
    ) = None


class WireSection(Protocol):
    """What each wire of a bus says of itself."""

    @property
    def serial(self) -> Serial | None:
        """How its characters go; None where they take no time that counts."""
        ...

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
    def serial(self) -> Serial | None:
        return None

    @property
    def endpoint(self) -> tuple[object, ...]:
        return "tcp", self.host.lower(), self.port

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of(cls, word: str) -> TcpSection | None:
        """host, host:port, [v6]:port. Raises ValueError."""
        host, port = _host_and_port(word, 502)
        return cls(host=host, port=port)


TLS_WORD = "tls://"
"""What a place begins with on the command line that is reached over TLS."""


class ModbusTlsSection(TcpSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[].tls: host and port of a Modbus/TCP Security server, whom to trust, and as whom to come."""

    port: Port = 802
    ca_file: Annotated[str, Meta(description="who signed the device's certificate, PEM")]
    cert_file: Annotated[str, Meta(description="our certificate, with the role that the device gives rights to, PEM")]
    key_file: Annotated[str, Meta(description="its key, PEM; readable for its owner and group at most")]
    server_name: Annotated[str, Meta(description="what the device's certificate is for, if not host")] | None = None

    @property
    def name(self) -> str:
        return f"{TLS_WORD}{super().name}"

    @classmethod
    def of(cls, word: str) -> ModbusTlsSection | None:
        """tls:// before a TCP place; the files are still to be given. Raises ValueError."""
        if not word.startswith(TLS_WORD):
            return None
        host, port = _host_and_port(word.removeprefix(TLS_WORD), 802)
        return cls(host=host, port=port, ca_file="", cert_file="", key_file="")


def _host_and_port(word: str, usual: int) -> tuple[str, int]:
    if word.startswith("["):
        host, _, rest = word[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = word.partition(":")
    if not host or not (port or str(usual)).isdecimal() or not 1 <= int(port or usual) <= 65535:
        raise ValueError(f"{word!r} is no HOST, HOST:PORT (1 to 65535) or [IPV6]:PORT")
    return host, int(port or usual)


class RtuSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[].rtu: a serial port, best by its name under /dev/serial/by-id: an adapter keeps that anywhere."""

    port: Annotated[str, Meta(pattern=PATH, description="a path like /dev/serial/by-id/...")]
    baud: Annotated[int, Meta(ge=1200, le=921600)] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def serial(self) -> Serial | None:
        return Serial(baud=self.baud, parity=self.parity, stop_bits=self.stop_bits)

    @property
    def endpoint(self) -> tuple[object, ...]:
        return "rtu", normpath(self.port)

    @property
    def name(self) -> str:
        """With parity and stop bits only where they are not the usual ones."""
        how = f"8{self.parity[0].upper()}{self.stop_bits}"
        return f"{self.port}:{self.baud}" + ("" if how == "8N1" else f":{how}")

    @classmethod
    def of(cls, word: str) -> RtuSection | None:
        """A path, with :BAUD and :8N1, :8E1, ... behind it. Raises ValueError."""
        if not word.startswith("/"):
            return None
        match = SERIAL.fullmatch(word)
        assert match is not None
        parity = {"N": "none", "E": "even", "O": "odd"}[match["parity"] or "N"]
        section = {"port": match["port"], "baud": int(match["baud"] or 9600)}
        section |= {"parity": parity, "stop_bits": int(match["stop"] or 1)}
        try:
            return convert(section, cls)
        except ValidationError as error:
            raise ValueError(f"{word!r} is no PORT:BAUD or PORT:BAUD:8N1 (8E1, 8O1, 8N2): {error}") from None


class RtuOverTcpSection(TcpSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[].rtu_over_tcp: host and port of a gateway that passes RTU frames on as they are. baud: of its line."""

    baud: Annotated[int, Meta(ge=1200, le=921600, description="of the line behind the gateway")] | None = None

    @property
    def serial(self) -> Serial | None:
        return None if self.baud is None else Serial(baud=self.baud)

    @property
    def name(self) -> str:
        return f"{RTU_OVER_TCP}{super().name}"

    @classmethod
    def of(cls, word: str) -> RtuOverTcpSection | None:
        """rtu+tcp://host:port. Raises ValueError."""
        if not word.startswith(RTU_OVER_TCP):
            return None
        there = TcpSection.of(word.removeprefix(RTU_OVER_TCP))
        assert there is not None
        return cls(host=there.host, port=there.port)


class BusSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """buses[]: one wire with all its unit ids. What is not given comes from the slowest profile on it."""

    id: Id
    tcp: TcpSection | UnsetType = UNSET
    tls: ModbusTlsSection | UnsetType = UNSET
    rtu: RtuSection | UnsetType = UNSET
    rtu_over_tcp: RtuOverTcpSection | UnsetType = UNSET
    timeout_s: Annotated[float, Meta(ge=0.05, le=60)] | None = None
    min_interval_s: Annotated[float, Meta(ge=0, le=10)] | None = None
    connect_delay_s: Annotated[float, Meta(ge=0, le=60)] | None = None
    backoff_s: Annotated[float, Meta(ge=1, le=600)] | None = None
    answer_s: Annotated[float, Meta(ge=0, le=60, description="until an answer begins: for the plan")] | None = None
    max_regs: Annotated[int, Meta(ge=8, le=125, description="registers in one read, also of a gateway")] | None = None
    spans: Annotated[bool, Meta(description="whether one read may go from one model into the next")] | None = None
    turnaround_s: (
        Annotated[float, Meta(ge=0, le=5, description="silence behind each answer, until its unit lets the line go")]
        | None
    ) = None
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
    profile: str | None = None


class DerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ders[]: one DER."""

    id: Id
    bus: Id
    unit: Unit
    kind: str
    section: Which | None = None
    profile: str | None = None
    serial: str | None = None
    model: str | None = None
    firmware: (
        Annotated[str, Meta(max_length=32, description="taken although its profile was not seen with it")] | None
    ) = None
    rating: RatingSection = RatingSection()
    control: bool = True
    fallback: FallbackSection = FallbackSection()
    bms: BmsSection | None = None
    own_functions: Literal["read", "off"] = "read"
    may_write: list[PointName] = []
    phase: (
        Annotated[
            Literal["A", "B", "C", "AB", "ABC"], Meta(description="in which it feeds, as the meter counts them")
        ]
        | None
    ) = None

    @property
    def bms_here(self) -> bool | None:
        """Whether its management system is in its own chain; None where nothing is said of one."""
        return None if self.bms is None else (self.bms.bus, self.bms.unit) == (self.bus, self.unit)


class MeterSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """poc.witness: another meter at the same point."""

    bus: Id
    unit: Unit
    kind: str = "sunspec_meter"
    section: Which | None = None
    profile: str | None = None
    serial: str | None = None
    model: str | None = None
    sign: Literal[1, -1]


class PocSection(MeterSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """poc: the meter at the point of connection."""

    witness: MeterSection | None = None
    followers: Annotated[list[Follower], Meta(description="who else follows this meter")] = []


class ControllerSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """controllers[]: who else can tell devices something. owns: what of it is its own; could: what it only could."""

    name: Annotated[str, Meta(min_length=1, max_length=64, description="as people call it: evcc, the vendor's cloud")]
    ders: list[Id]
    could: list[Literal["limit", "power", "var"]] = []
    owns: list[Literal["limit", "power", "var"]] = []


class SiteFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Literal[1]
    site: SiteSection
    mqtt: MqttSection | None = None
    records: RecordsSection = RecordsSection()
    buses: list[BusSection]
    ders: list[DerSection]
    poc: PocSection | None = None
    functions: list[dict[str, Any]] = []
    controllers: list[ControllerSection] = []
    contacts: list[ContactSection] = []

    @property
    def meters(self) -> list[tuple[str, MeterSection]]:
        """Those at the point of connection, by their path."""
        if self.poc is None:
            return []
        return [("poc", self.poc), *([] if self.poc.witness is None else [("poc.witness", self.poc.witness)])]
