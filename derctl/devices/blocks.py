"""The requests that a device's blocks are read in: neighbours together where that is cheaper, apart where it refuses.

A layer below the drivers: each block is answered as if it had been read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Registers
from derctl.core.value import value
from derctl.devices.lengths import TOO_LONG
from derctl.errors import BusError, DeviceError, DeviceRefused

HEAD = 2
"""Registers at the begin of a SunSpec model that never change: its ID and length."""


@value
class Joining:
    """What may be read together. max_regs: in one request. gap: so many registers between two blocks that nobody
    wants. spans: whether a request may go from one model into the next."""

    max_regs: int = 125
    gap: int = 0
    spans: bool = False


ALONE = Joining()
"""Each block by itself, but for those of one model."""


@value
class Joint:
    """One request, and the parts of blocks that it fetches, by address. None of them is cut."""

    read: Read
    parts: tuple[Read, ...]

    @property
    def halves(self) -> tuple[Joint, Joint]:
        middle = len(self.parts) // 2
        return _joint(self.parts[:middle]), _joint(self.parts[middle:])


def _joint(parts: tuple[Read, ...]) -> Joint:
    first, end = parts[0], max(part.address + part.count for part in parts)
    return Joint(read=Read(address=first.address, count=end - first.address, function=first.function), parts=parts)


def joined(blocks: Iterable[Read], joining: Joining, apart: frozenset[int] = frozenset()) -> tuple[Joint, ...]:
    """The requests for these blocks. apart: addresses at which one has to begin, since none may run into them."""
    found: list[list[tuple[Read, Read]]] = []
    parts = {(block.function, part.address, part.count): (block, part) for block in blocks for part in block.parts}
    for _, (block, part) in sorted(parts.items()):
        if found and part.address not in apart and _fit(found[-1], block, part, joining):
            found[-1].append((block, part))
        else:
            found.append([(block, part)])
    return tuple(_joint(tuple(part for _, part in group)) for group in found)


def _fit(group: list[tuple[Read, Read]], block: Read, part: Read, joining: Joining) -> bool:
    """Whether a part may be read with those before it. Blocks of one model begin at the same address."""
    (_, first), end = group[0], max(each.address + each.count for _, each in group)
    count = max(part.address + part.count, end) - first.address
    if first.function != part.function or count > joining.max_regs or part.address - end > joining.gap:
        return False
    return joining.spans or all(other.address == block.address for other, _ in group)


@dataclass(slots=True)
class Blocks:
    """What was found out about the requests of one device, until it is bound anew. apart: where one has to begin.

    proven: those of several blocks that were answered as the blocks alone.
    """

    apart: frozenset[int] = frozenset()
    proven: set[Read] = field(default_factory=set)
    _last: tuple[object, tuple[Joint, ...]] = (None, ())

    def requests(self, blocks: Mapping[str, Read], joining: Joining) -> list[Read]:
        """Those of one poll."""
        found = self._joints(blocks, joining)
        return [read for joint in found for read in ((joint.read,) if joint.read in self.proven else joint.parts)]

    def _joints(self, blocks: Mapping[str, Read], joining: Joining) -> tuple[Joint, ...]:
        """Made once, as long as nothing of it changes."""
        key = (blocks, joining, self.apart)
        if self._last[0] != key:
            self._last = (key, joined(blocks.values(), joining, self.apart))
        return self._last[1]

    def ask(
        self, blocks: Mapping[str, Read], joining: Joining, vital: Callable[[str, DeviceRefused], bool]
    ) -> Exchange[tuple[dict[str, Registers], dict[str, DeviceRefused]]]:
        """The registers of each block, and why those were refused that were. Raises DeviceRefused for a vital one."""
        words, refusals = dict[Read, Registers](), dict[Read, DeviceRefused]()

        def refused(part: Read, error: DeviceRefused) -> None:
            refusals[part] = error
            name = {part: name for name, block in blocks.items() for part in block.parts}[part]
            if vital(name, error):
                raise error

        for joint in self._joints(blocks, joining):
            if len(joint.parts) == 1:
                part = joint.parts[0]
                try:
                    words[part] = yield part
                except DeviceRefused as error:
                    refused(part, error)
            elif joint.read in self.proven:
                yield from self._together(joint, words, refused)
            else:
                yield from self._alone(joint, words, refused)
        return _by_block(blocks, words, refusals)

    def _alone(
        self, joint: Joint, words: dict[Read, Registers], refused: Callable[[Read, DeviceRefused], None]
    ) -> Exchange[None]:
        """Each part by itself, and then all of them, to see whether that is answered alike."""
        for part in joint.parts:
            try:
                words[part] = yield part
            except DeviceRefused as error:
                refused(part, error)
        if all(part in words for part in joint.parts):
            yield from self._tried(joint, words)

    def _tried(self, joint: Joint, words: Mapping[Read, Registers]) -> Exchange[None]:
        """What fails before it was ever answered is not asked for again, whatever the reason was; of what is refused
        for its address, the halves are tried with the next poll."""
        inner, before = {part.address for part in joint.parts[1:]}, self.apart
        self.apart |= inner
        try:
            answer = yield joint.read
        except (BusError, DeviceError) as error:
            if isinstance(error, DeviceRefused) and error.code in TOO_LONG:
                self.apart = before | {joint.halves[1].read.address}
            return
        heads = [(_cut(joint, part, answer)[:HEAD], tuple(words[part][:HEAD])) for part in joint.parts]
        if all(seen == known for seen, known in heads):
            self.apart = before
            self.proven.add(joint.read)

    def _together(
        self, joint: Joint, words: dict[Read, Registers], refused: Callable[[Read, DeviceRefused], None]
    ) -> Exchange[None]:
        """All at once; where that is refused it is halved, and stays so: what it runs through may have gone."""
        try:
            answer = yield joint.read
        except DeviceRefused as error:
            if len(joint.parts) == 1 or error.code not in TOO_LONG:
                for part in joint.parts:
                    refused(part, error)
                return
            left, right = joint.halves
            self.apart |= {right.read.address}
            for half in (left, right):
                self.proven.add(half.read)
                yield from self._together(half, words, refused)
            return
        words |= {part: _cut(joint, part, answer) for part in joint.parts}


def _cut(joint: Joint, part: Read, answer: Registers) -> tuple[int, ...]:
    begin = part.address - joint.read.address
    return tuple(answer[begin : begin + part.count])


def _by_block(
    blocks: Mapping[str, Read], words: Mapping[Read, Registers], refusals: Mapping[Read, DeviceRefused]
) -> tuple[dict[str, Registers], dict[str, DeviceRefused]]:
    fresh, why = dict[str, Registers](), dict[str, DeviceRefused]()
    for name, block in blocks.items():
        error = next((refusals[part] for part in block.parts if part in refusals), None) if refusals else None
        if error is not None:
            why[name] = error
        elif not block.cuts:
            fresh[name] = words[block]
        else:
            fresh[name] = tuple(word for part in block.parts for word in words[part])
    return fresh, why
