"""Every closed set of codes. They stand in topics, replies, `status` and the log, so they are stable."""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class Status(StrEnum):
    """What a device says of itself, reduced to what control needs."""

    ON = "on"
    THROTTLED = "throttled"
    STARTING = "starting"
    STANDBY = "standby"
    ASLEEP = "asleep"
    OFF = "off"
    FAULT = "fault"
    UNKNOWN = "unknown"


class Bind(StrEnum):
    """How far a device has been found and can be believed."""

    STARTING = "starting"
    OK = "ok"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FROZEN = "frozen"
    UNMEASURED = "unmeasured"


class Shown(StrEnum):
    """A device's state as `status` shows it: how it is bound, and what it says of itself."""

    STARTING = "starting"
    OK = "ok"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FROZEN = "frozen"
    UNMEASURED = "unmeasured"
    STALE = "stale"
    OBSERVED = "observed"
    ASLEEP = "asleep"
    STANDBY = "standby"
    FAULT = "fault"


class Phase(StrEnum):
    """Whether an inverter stands by because of a limit of ours, or is let give power again."""

    AWAKE = "awake"
    STANDBY = "standby"
    WAKING = "waking"


class Achieved(StrEnum):
    """Whether what was desired is what is measured. not_binding: a ceiling above what there is to limit."""

    YES = "yes"
    NO = "no"
    PENDING = "pending"
    NOT_BINDING = "not_binding"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why an outcome is what it is, or why a bound is; forty sites can be grouped by it."""

    NO_SUN = "no_sun"
    BMS_LIMIT = "bms_limit"
    BELOW_MINIMUM = "below_minimum"
    SENIOR_BOUND = "senior_bound"
    METER_LOST = "meter_lost"
    METER_UNPROVEN = "meter_unproven"
    PHASES_UNSEEN = "phases_unseen"
    PHASE_ASTRAY = "phase_astray"
    NOT_SUPPORTED = "not_supported"
    OVERRIDE = "override"
    GATE_CLOSED = "gate_closed"
    WRITE_IGNORED = "write_ignored"
    WRITE_CLIPPED = "write_clipped"
    WRITE_BUDGET = "write_budget"
    CONTESTED = "contested"
    NOT_FOLLOWED = "not_followed"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    LATE = "late"
    STALE = "stale"
    FROZEN = "frozen"
    UNMEASURED = "unmeasured"
    IMPLAUSIBLE = "implausible"
    IDENTITY_CHANGED = "identity_changed"
    MISMATCH = "mismatch"
    FIRMWARE_CHANGED = "firmware_changed"
    OWN_FUNCTION_ON = "own_function_on"
    SECTION_UNCLEAR = "section_unclear"
    HELD = "held"
    NO_MEASURED_SUN = "no_measured_sun"
    RELAXING = "relaxing"
    ON_TRIAL = "on_trial"
    UNCONTAINED = "uncontained"
    LOCKED_OUT = "locked_out"
    HUNTING = "hunting"
    BATTERY_BARRED = "battery_barred"
    BATTERY_SILENT = "battery_silent"
    BATTERY_RECOVERS = "battery_recovers"
    NOT_CHARGED = "not_charged"
    LATER_TARGET = "later_target"


class Stage(StrEnum):
    """A part of the time from a load that drops until the export is back under the limit."""

    METER_REFRESH = "meter_refresh"
    METER_DELAY = "meter_delay"
    POLL = "poll"
    DECIDE = "decide"
    LAW = "law"
    PACING = "pacing"
    WRITE = "write"
    RESPONSE = "response"


class KnownBy(StrEnum):
    """How a number is known: set in the site file, a habit in the device's profile, a bound, or measured."""

    SET = "set"
    PROFILE = "profile"
    ASSUMED = "assumed"
    MEASURED = "measured"


class SeenBy(StrEnum):
    """Who says what stands in a profile: registers of a real device, its maker, its maker's page as others print it,
    people who have one, or nobody."""

    CAPTURE = "capture"
    DOCUMENT = "document"
    QUOTED = "quoted"
    REPORT = "report"
    ASSUMED = "assumed"


class ProfileBy(StrEnum):
    """Who says which profile a device is taken by; nobody: none is meant for it."""

    SITE_FILE = "site_file"
    IDENTITY = "identity"
    NOBODY = "nobody"


class Idle(StrEnum):
    """Why a function that is well has nothing to say."""

    NO_REQUEST = "no request"
    INSIDE_THE_DEAD_BAND = "inside the dead band"
    INSIDE_ITS_BOUNDS = "inside its bounds"
    ABOVE_THE_RESERVE = "above the reserve"
    IN_SERVICE = "in service"
    BETWEEN_INTERVALS = "between intervals"
    TIME_ENOUGH = "time enough"
    SWITCHED_OFF = "switched off for a time"


class Released(StrEnum):
    """What became of a release."""

    RELEASED = "released"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WAITS = "waits"
    NOT_IN_FILE = "not_in_file"
    NOT_WRITTEN = "not_written"


class Seen(StrEnum):
    """How it is known what stands in a device."""

    READ_BACK = "read_back"
    OLD = "old"
    AS_WRITTEN = "as_written"
    NOT_KNOWN = "not_known"


class Record(StrEnum):
    """What derctl has written down of a DER: not given back, left by a release, nothing, or there is no record."""

    WRITTEN = "written"
    LEFT = "left"
    NOTHING = "nothing"
    MISSING = "missing"


class Mode(StrEnum):
    """Whether setpoints leave the daemon."""

    OBSERVE = "observe"
    CONTROL = "control"


class Belief(StrEnum):
    """What the meter at the point of connection is believed to be."""

    UNPROVEN = "unproven"
    PROVEN = "proven"
    DOUBTED = "doubted"
    LOST = "lost"


class Flaw(StrEnum):
    """What steps of a DER have shown of it, or of the meter, that keeps the site from being controlled as it is."""

    SETPOINT_IGNORED = "setpoint_ignored"
    SETPOINT_INVERTED = "setpoint_inverted"
    SETPOINT_PARTLY = "setpoint_partly"
    VAR_IGNORED = "var_ignored"
    VAR_INVERTED = "var_inverted"
    VAR_PARTLY = "var_partly"
    VAR_AGAINST_VOLTAGE = "var_against_voltage"
    MINIMUM_ON = "minimum_on"
    METER_REVERSED = "meter_reversed"
    METER_UNMOVED = "meter_unmoved"
    METER_SCALED = "meter_scaled"


class Doubt(StrEnum):
    """What speaks against the meter beside the steps that it has to show, or keeps it from being told."""

    PHASE_LOST = "phase_lost"
    PHASE_REVERSED = "phase_reversed"
    PHASE_SUM = "phase_sum"
    ENERGY_COUNTER = "energy_counter"
    WITNESS = "witness"
    FOLLOWERS = "followers"
    FOLLOWER_SUSPECTED = "follower_suspected"
    VOLTAGE = "voltage"
    DER_PHASE = "der_phase"


class LimitsBy(StrEnum):
    """Who reads a battery's limits: its own chain, a management system of its own, or nobody."""

    CHAIN = "chain"
    BMS = "bms"
    NOBODY = "nobody"


class Bar(StrEnum):
    """What bars a battery's charge, its discharge, or both (core/pack.py)."""

    OVER_VOLT = "over_volt"
    UNDER_VOLT = "under_volt"
    FULL = "full"
    EMPTY = "empty"
    OVER_TEMP = "over_temp"
    TOO_HOT_TO_CHARGE = "too_hot_to_charge"
    TOO_COLD_TO_CHARGE = "too_cold_to_charge"
    TOO_HOT_TO_DISCHARGE = "too_hot_to_discharge"
    TOO_COLD_TO_DISCHARGE = "too_cold_to_discharge"
    OVER_CHARGE_CURRENT = "over_charge_current"
    OVER_DISCHARGE_CURRENT = "over_discharge_current"
    CHARGE_OFF = "charge_off"
    DISCHARGE_OFF = "discharge_off"
    CONTACTOR_OPEN = "contactor_open"
    BATTERY_FAULT = "battery_fault"


class FallbackBy(StrEnum):
    """What makes a declared fallback true."""

    REVERSION = "reversion"
    STANDS = "stands"
    DEVICE = "device"


class Priority(StrEnum):
    """Who wins where P and Q don't fit into the apparent-power circle together."""

    REACTIVE = "reactive"
    ACTIVE = "active"


class What(StrEnum):
    """What of a DER is bounded."""

    CEILING = "p_ceiling_w"
    FLOOR = "p_floor_w"
    TARGET = "p_target_w"
    VAR = "q_var"


class OnOverride(StrEnum):
    """What derctl does where somebody else sets a device to less than it had set it to."""

    REASSERT = "reassert"
    YIELD = "yield"
    ALARM = "alarm"


class Told(StrEnum):
    """What a controller can tell a device; each has one owner."""

    LIMIT = "limit"
    POWER = "power"
    VAR = "var"


class WriteFor(StrEnum):
    """Why a setpoint has to be written now."""

    FIRST = "first"
    REFRESH = "refresh"
    GIVE_BACK = "give_back"
    CHANGED = "changed"
    DISOBEYED = "disobeyed"


class Refusal(StrEnum):
    """Why a command is refused."""

    BAD_JSON = "bad_json"
    BAD_ARGUMENT = "bad_argument"
    MISSING = "missing"
    RETAINED = "retained"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_COMMAND = "unknown_command"
    OUT_OF_RANGE = "out_of_range"
    CLOCK_UNSYNCED = "clock_unsynced"
    NO_FUNCTION = "no_function"
    NO_DER = "no_der"
    FALLBACK_BREAKS_CONTRACT = "fallback_breaks_contract"
    RATING_UNKNOWN = "rating_unknown"
    BUS_TOO_SLOW = "bus_too_slow"
    NOT_READY = "not_ready"
    UNCONFIRMED = "unconfirmed"
    BAD_SITE_FILE = "bad_site_file"
    TOO_MANY = "too_many"
    NOT_SAVED = "not_saved"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    MAY_NOT_ARM = "may_not_arm"
    MAY_NOT_OPT_OUT = "may_not_opt_out"
    NOTHING_NEW = "nothing_new"
    DOES_NOT_FIT = "does_not_fit"
    UNPROVEN = "unproven"
    TWO_OWNERS = "two_owners"
    ENDED = "ended"
    NOT_PERMITTED = "not_permitted"
    OUT_OF_ENVELOPE = "out_of_envelope"
    BAD_SIGNATURE = "bad_signature"
    OVERTAKEN = "overtaken"
    GRID_CODE = "grid_code"
    WOULD_HUNT = "would_hunt"


class Incident(StrEnum):
    """What the security log tells of (docs/interfaces.md, "Security events"; daemon/security says how grave)."""

    REFUSED_COMMAND = "refused_command"
    FAILED_SIGNATURE = "failed_signature"
    UNKNOWN_SENDER = "unknown_sender"
    FAILED_TLS = "failed_tls"
    NAME_TAKEN = "name_taken"
    CONFIGURATION = "configuration_changed"
    CLOCK_SET = "clock_was_set"
    ARMING = "word_on_control"
    AUDIT_BROKEN = "audit_chain_broken"
    FILE_BROKEN = "file_broken"
    DEVICE_CHANGED = "device_changed"


class Abides(Enum):
    """Which requests of the same kind and DER one does not take the place of: none, those of other senders, all
    but its own sender's that are no tighter and end no later, or all."""

    NONE = auto()
    OTHERS = auto()
    TIGHTER = auto()
    ALL = auto()


class Role(StrEnum):
    """What a principal is to the site: it decides which commands it may give."""

    OPERATOR = "operator"
    AGGREGATOR = "aggregator"
    OWNER = "owner"
    INSTALLER = "installer"


class Became(StrEnum):
    """What became of a command that was admitted, as its sender is told."""

    ACHIEVED = "achieved"
    NOT_BINDING = "not_binding"
    OVERRIDDEN_BY = "overridden_by"
    REFUSED = "refused"
    LAPSED = "lapsed"


class Standing(StrEnum):
    """What became of an operator's limit or setpoint after it was admitted."""

    BINDS = "binds"
    WAITS = "waits"
    EXPIRED = "expired"
    CLEARED = "cleared"
    REPLACED = "replaced"
    OPTED_OUT = "opted_out"


class Contact(StrEnum):
    """What a contact input is."""

    EMERGENCY_STOP = "emergency_stop"
    DRED = "dred"
    RIPPLE_CONTROL = "ripple_control"


class Hangs(StrEnum):
    """Whether the records of a log hang together."""

    OK = "ok"
    BROKEN = "broken"
    UNCHECKED = "unchecked"


class Timer(StrEnum):
    """What a device's own reversion timer does when it runs out: go to a target, let go of the limit, or nothing."""

    TARGET = "target"
    NO_TARGET = "no_target"
    NONE = "none"


class Proven(StrEnum):
    """What `verify` found of a DER's fail-safe: as declared; otherwise than declared; nothing that could be measured,
    since the device has none; or not to be told this time. witnessed: a limit that is kept in the device, which
    derctl can't measure: who saw it there is on record."""

    PROVEN = "proven"
    WITNESSED = "witnessed"
    FAILED = "failed"
    UNPROVABLE = "unprovable"
    UNCONFIRMED = "unconfirmed"


class Unplugged(StrEnum):
    """How derctl was taken from a DER while its timer ran: not at all, it went on asking; it asked nothing, and
    closed the connection; somebody pulled the cable; or its process was killed."""

    ASKING = "asking"
    CUT = "cut"
    CABLE = "cable"
    KILLED = "killed"


class Beside(StrEnum):
    """What a second client, which polls while derctl is unplugged, changes: nothing, it lets go all the same; it
    never lets go; there can be none, since the device takes one client only; or that could not be told."""

    LETS_GO = "lets_go"
    KEPT_UP = "kept_up"
    ONE_CLIENT = "one_client"
    UNTOLD = "untold"


class Without(StrEnum):
    """How a DER comes to what it gives without derctl; from no_target on it is its full rating."""

    TIMER = "timer"
    STANDS = "stands"
    DEVICE = "device"
    NO_TARGET = "no_target"
    NO_TIMER = "no_timer"
    NO_CEILING = "no_ceiling"
    NOT_WRITTEN = "not_written"
    ONLY_READ = "only_read"
    ANOTHER = "another"


class Certainty(StrEnum):
    """Whose word that is: the device's that was found, the installer's, or the site file's until it is found."""

    FOUND = "found"
    DECLARED = "declared"
    EXPECTED = "expected"
    UNKNOWN = "unknown"


class Promise(StrEnum):
    """How far a device is known to keep its fallback: nothing of it was written, written, or it reads back."""

    UNPROVEN = "unproven"
    WRITTEN = "written"
    READ_BACK = "read_back"


class Contract(StrEnum):
    """What a site file alone says of the contract. open: decided when the devices are found."""

    NONE = "none"
    HOLDS = "holds"
    OPEN = "open"
    BROKEN = "broken"


class Greeted(StrEnum):
    """How a broker answered the look before the start: it took us; it, or our name and password, is refused; or its
    certificate is; or our own files can't be used."""

    TAKEN = "taken"
    AWAY = "away"
    REFUSED = "refused"
    EXPIRED = "expired"
    EARLY = "early"
    UNTRUSTED = "untrusted"
    FILES = "files"
