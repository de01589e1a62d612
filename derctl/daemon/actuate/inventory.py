"""What stands in each device, by read-back and by the record: what a release has to touch, and what it need not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from derctl.core.dataclass import dataclass
from derctl.core.words import Record, Seen
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import Release, not_in_file, not_written, released_before
from derctl.daemon.actuate.standing import Standing, told_of
from derctl.daemon.actuate.writer import Writer


@dataclass(frozen=True, slots=True)
class Inventory:
    """It only looks. writers: by DER id, as the site file has them now."""

    records: Records
    writers: Callable[[], Mapping[str, Writer]]

    def stands(self, der_id: str) -> Standing:
        """What stands in a DER."""
        return self.writers()[der_id].standing(self.records.of(der_id))

    def wrote(self) -> list[str]:
        """What was written and not released yet, as far as the site file has it."""
        writers = self.writers()
        return [der_id for der_id in self.records.written.entries if der_id in writers]

    def elsewhere(self) -> list[str]:
        """What was written and is not in the site file any more."""
        writers = self.writers()
        return [der_id for der_id in self.records.written.entries if der_id not in writers]

    def left(self) -> dict[str, Release]:
        """What earlier releases left, for the DERs that were not written since."""
        limits = self.records.left.stands
        names = [name for name in self.writers() if self.records.of(name) is Record.LEFT]
        return {name: replace(released_before(limits.get(name)), standing=self.stands(name)) for name in names}

    def beside(self, result: Mapping[str, Release]) -> dict[str, Release]:
        """Of those that a release did not touch: what stands in them, and what may stand in those of which there is
        no record."""
        before = {name: each for name, each in self.left().items() if name not in result}
        ours = [name for name, writer in self.writers().items() if name not in result and writer.control]
        rest = {name: self.stands(name) for name in ours if name not in before}
        gone = {name: not_in_file() for name in self.elsewhere()}
        return gone | before | {name: not_written(each) for name, each in rest.items() if told_of(each)}

    def to_lift(self) -> list[str]:
        """Besides what was written: what a release left, what reads back something beside the fallback, and where
        there is no record, what does not tell."""
        found = []
        for name, writer in self.writers().items():
            each, ceiling_w = self.stands(name), writer.promised.told.p_ceiling_w
            if each.record is Record.WRITTEN or not (writer.control or each.record is Record.LEFT):
                continue
            unseen = each.seen is not Seen.READ_BACK
            left_w = self.records.left.stands.get(name)
            left = each.record is Record.LEFT and released_before(left_w).held_below(ceiling_w)
            if each.held_back(ceiling_w) or (unseen and (left or each.record is Record.MISSING)):
                found.append(name)
        return found

    def empty(self) -> set[str]:
        """Of what a release left: those that read back that nothing stands in them any more."""
        return {name for name, each in self.left().items() if each.standing is not None and each.standing.empty}

    def given_back(self, der_id: str) -> bool:
        """Whether it is known that nothing of derctl's stands in it, but its fallback."""
        writer, each = self.writers()[der_id], self.stands(der_id)
        known = each.seen in {Seen.READ_BACK, Seen.AS_WRITTEN}
        return not writer.control or (known and not each.held_back(writer.promised.told.p_ceiling_w))
