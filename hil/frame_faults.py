"""Faults of the wire, one function each. They change an Exchange in place; FaultBoard starts and stops them by name.

Common filters, taken off before the function sees its arguments: `unit`, `fc`, `p` (probability), `every` (n-th),
`first` (only the first n), `addresses` ([from, to], inclusive).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hil.exchange import HEADER, Exchange, framed
from hil.mutation import mutated_frame
from hil.wire import Connection, FrameFault

FILTERS = frozenset(("unit", "fc", "p", "every", "first", "addresses"))

# -- on the way in --------------------------------------------------------------------------------------------------


def latency(
    x: Exchange, *, seconds: float = 0.2, jitter_s: float = 0.0, tail_p: float = 0.0, tail_s: float = 3.0
) -> None:
    """The device takes longer: seconds +- jitter, and with tail_p a long tail."""
    x.delay_s += max(0.0, seconds + x.random.uniform(-jitter_s, jitter_s))
    if tail_p > 0.0 and x.random.random() < tail_p:
        x.delay_s += tail_s


def lognormal_latency(x: Exchange, *, median_s: float = 0.05, sigma: float = 0.8) -> None:
    """Latency as field devices show it (5 to 200 ms, tail to 14 s: Huawei SDongle, wlcrs/huawei_solar PR#1360)."""
    x.delay_s += float(x.random.lognormvariate(0.0, sigma) * median_s)


def drop_request(x: Exchange) -> None:
    """The request is lost: the device neither acts nor answers."""
    x.answered = False


def blackhole(x: Exchange) -> None:
    """Nothing comes back on any socket, also new ones; TCP itself stays well."""
    x.answered = False


def exception(x: Exchange, *, code: int = 4) -> None:
    """The device answers with an exception and does nothing."""
    x.exception, x.spoiled = code, True


def random_exception(x: Exchange, *, codes: tuple[int, ...] = (1, 2, 3, 4, 6, 0x0A, 0x0B)) -> None:
    """One of several exceptions."""
    x.exception, x.spoiled = x.random.choice(tuple(codes)), True


# -- on the way out -------------------------------------------------------------------------------------------------


def _altered(x: Exchange, content: bytes) -> None:
    x.spoiled = True
    x.sends = [(x.sends[0][0], content)] if x.sends else []


def _frame(x: Exchange) -> bytes:
    return x.sends[0][1] if x.sends else b""


def drop_response(x: Exchange) -> None:
    """The device acted, its answer is lost."""
    x.spoiled = True
    x.sends = []


def duplicate(x: Exchange, *, gap_s: float = 0.0) -> None:
    """The answer comes twice."""
    if x.sends:
        x.sends.append((x.sends[0][0] + gap_s, x.sends[0][1]))


def late_answer(x: Exchange, *, delay_s: float = 3.0) -> None:
    """The right answer, but after the client has given up. Later requests are answered in time."""
    x.spoiled = True
    x.sends = [(wait_s + delay_s, content) for wait_s, content in x.sends]


def wrong_tid(x: Exchange, *, offset: int = 1) -> None:
    """Another transaction id."""
    _altered(x, framed((x.tid + offset) & 0xFFFF, x.unit_id, x.answer))


def tid_zero(x: Exchange) -> None:
    """Transaction id 0, as some gateways send it."""
    _altered(x, framed(0, x.unit_id, x.answer))


def own_numbers(x: Exchange, *, transaction: str = "next", unit_id: int | None = None) -> None:
    """A gateway's habit: right answers under transaction id "next", "one", "swapped" or "same", or another unit id
    (kellerza/sunsynk#680, evcc-io/evcc#21026 and #25307). Not counted as spoiled."""
    swapped = x.tid >> 8 | (x.tid & 0xFF) << 8
    tid = {"next": (x.tid + 1) & 0xFFFF, "one": 1, "swapped": swapped, "same": x.tid}[transaction]
    if x.sends:
        x.sends = [(x.sends[0][0], framed(tid, x.unit_id if unit_id is None else unit_id, x.answer))]


def closes(x: Exchange, *, how: str = "fin") -> None:
    """A device's habit: it ends the connection after each answer. Not counted as spoiled."""
    x.close, x.habit = how, True


def wrong_unit(x: Exchange, *, unit_id: int | None = None) -> None:
    """Another unit id."""
    _altered(x, framed(x.tid, (x.unit_id + 1) % 248 if unit_id is None else unit_id, x.answer))


def wrong_function(x: Exchange, *, function: int | None = None) -> None:
    """Another function code (default: 03 <-> 04, else 03)."""
    other = {3: 4, 4: 3}.get(x.answer[0], 3) if function is None else function
    _altered(x, framed(x.tid, x.unit_id, bytes((other,)) + x.answer[1:]))


def wrong_length(x: Exchange, *, offset: int = 2) -> None:
    """The header's length field lies by offset."""
    frame = _frame(x)
    tid, protocol, length, unit_id = HEADER.unpack_from(frame)
    _altered(x, HEADER.pack(tid, protocol, max(0, length + offset), unit_id) + frame[HEADER.size :])


def short_pdu(x: Exchange, *, registers: int = 1) -> None:
    """Fewer registers than asked, header and byte count consistent with that."""
    if x.answer[0] in (3, 4):
        content = x.answer[2 : len(x.answer) - 2 * registers]
        _altered(x, framed(x.tid, x.unit_id, bytes((x.answer[0], len(content))) + content))


def long_pdu(x: Exchange, *, registers: int = 1) -> None:
    """More registers than asked, header and byte count consistent with that."""
    if x.answer[0] in (3, 4):
        content = x.answer[2:] + b"\x12\x34" * registers
        _altered(x, framed(x.tid, x.unit_id, bytes((x.answer[0], len(content) & 0xFF)) + content))


def echo_differs(x: Exchange, *, offset: int = 1) -> None:
    """The echo of a write names another value (FC06) or number of registers (FC16); the write was carried out."""
    if x.answer[0] in (6, 16):
        last = int.from_bytes(x.answer[3:5], "big")
        _altered(x, framed(x.tid, x.unit_id, x.answer[:3] + ((last + offset) & 0xFFFF).to_bytes(2, "big")))


def split(x: Exchange, *, at_byte: int = 5, gap_s: float = 0.05) -> None:
    """The answer in two segments, cut after so many bytes. A legal thing that TCP may do: not counted as spoiled."""
    if x.sends:
        wait_s, content = x.sends[0]
        x.sends = [(wait_s, content[:at_byte]), (wait_s + gap_s, content[at_byte:])]


def merge(x: Exchange, *, wait_s: float = 0.2) -> None:
    """This answer waits for the next one and goes with it in one segment."""
    held: list[bytes] = x.connection.held
    held.append(_frame(x))
    x.sends = []
    if len(held) == 2:
        x.sends = [(0.0, b"".join(held))]
        held.clear()
        return

    def give_up() -> None:
        if held:
            x.connection.send(b"".join(held))
            held.clear()

    x.connection.later(wait_s, give_up)


def bit_flip(x: Exchange, *, bit: int | None = None) -> None:
    """One bit of the PDU turns over."""
    frame = bytearray(_frame(x))
    if len(frame) > HEADER.size:
        at = x.random.randrange(HEADER.size * 8, len(frame) * 8) if bit is None else HEADER.size * 8 + bit
        frame[at // 8] ^= 1 << (at % 8)
        _altered(x, bytes(frame))


def garbage(x: Exchange, *, size: int = 40, where: str = "instead") -> None:
    """Random bytes: instead of the answer, before or after it."""
    noise = bytes(x.random.randrange(256) for _ in range(size))
    frame = _frame(x)
    _altered(x, {"instead": noise, "before": noise + frame, "after": frame + noise}[where])


def mutated(x: Exchange, *, most: int = 1, keep: str = "") -> None:
    """One to `most` frames instead of the answer, each the answer made bad. keep: a file that gets a line for each
    answer, its frames in hexadecimal."""
    frames = [mutated_frame(_frame(x), x.random) for _ in range(x.random.randint(1, most))] if x.sends else []
    if not frames:
        return
    x.spoiled = True
    x.sends = [(0.0, frame) for frame in frames]
    if x.unit is not None:
        x.unit.count.mutated += len(frames)
    if keep:
        with Path(keep).open("a", encoding="ascii") as file:
            file.write(" ".join(frame.hex() for frame in frames) + "\n")


def rst(x: Exchange) -> None:
    """The socket is reset instead of an answer."""
    x.sends, x.close = [], "rst"


def fin(x: Exchange) -> None:
    """The socket is closed instead of an answer."""
    x.sends, x.close = [], "fin"


def half_close(x: Exchange) -> None:
    """The device closes its sending side after half of the answer."""
    frame = _frame(x)
    _altered(x, frame[: len(frame) // 2])
    x.close = "half"


def slow_loris(x: Exchange, *, gap_s: float = 0.3) -> None:
    """One byte at a time."""
    x.spoiled = True
    x.sends = [(number * gap_s, bytes((byte,))) for number, byte in enumerate(_frame(x))]


def canary(x: Exchange, *, address: int) -> None:
    """Every answer that covers `address` carries its own number there, so that none is mistaken for another.

    The unit's list `canaries` keeps (time, number). Late answers keep the number of the request that they answer.
    """
    if x.unit is None or x.answer[0] not in (3, 4) or not x.address <= address < x.address + x.count:
        return
    number = len(x.unit.canaries) + 1
    x.unit.canaries.append((x.connection.last_s, number))
    at = 2 + 2 * (address - x.address)
    x.answer = x.answer[:at] + number.to_bytes(2, "big") + x.answer[at + 2 :]
    x.sends = [(wait_s, framed(x.tid, x.unit_id, x.answer)) for wait_s, _ in x.sends]


# -- on connecting --------------------------------------------------------------------------------------------------


def accept_then_silent(connection: Connection) -> None:
    """New connections are accepted and never answered; old ones go on."""
    connection.silent = True


def rst_on_connect(connection: Connection) -> None:
    """New connections are reset at once."""
    connection.end("rst")


REQUEST: Mapping[str, Callable[..., None]] = {
    f.__name__: f for f in (latency, lognormal_latency, drop_request, blackhole, exception, random_exception)
}
ANSWER: Mapping[str, Callable[..., None]] = {
    f.__name__: f
    for f in (
        canary, own_numbers, closes,
        drop_response, duplicate, late_answer, wrong_tid, tid_zero, wrong_unit, wrong_function, wrong_length,
        short_pdu, long_pdu, echo_differs, split, merge, bit_flip, garbage, mutated, rst, fin, half_close, slow_loris,
    )
}  # fmt: skip
ACCEPT: Mapping[str, Callable[[Connection], None]] = {
    "accept_then_silent": accept_then_silent,
    "rst_on_connect": rst_on_connect,
}


def filtered(fault: Callable[..., None], given: Mapping[str, Any]) -> FrameFault:
    """The fault with its arguments, acting only on the exchanges that the common filters let through."""
    args = dict(given)
    unit, fc, addresses = args.pop("unit", None), args.pop("fc", None), args.pop("addresses", None)
    p, every, first = float(args.pop("p", 1.0)), int(args.pop("every", 1)), args.pop("first", None)
    functions = None if fc is None else (fc,) if isinstance(fc, int) else tuple(fc)
    seen = hits = 0

    def act(x: Exchange) -> None:
        nonlocal seen, hits
        if (unit is not None and x.unit_id != unit) or (functions is not None and x.function not in functions):
            return
        if addresses is not None and not (x.address <= addresses[1] and x.address + x.count > addresses[0]):
            return
        seen += 1
        if seen % every or (first is not None and hits >= first) or (p < 1.0 and x.random.random() >= p):
            return
        hits += 1
        fault(x, **args)

    return act
