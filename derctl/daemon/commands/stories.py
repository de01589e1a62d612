"""Tells each principal over MQTT the story of its commands, in order, on the topic of its replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.requests import FloorRequest, LimitRequest
from derctl.core.types import Outcome, Tick
from derctl.core.words import Standing
from derctl.daemon.clock import Clock
from derctl.daemon.commands.answer import answer, reply
from derctl.daemon.commands.effect import Effect, Seen
from derctl.daemon.commands.effects import effect_of
from derctl.daemon.commands.record import at_poc, noted, told
from derctl.daemon.commands.row import LOCAL_ID, Heard, unheard
from derctl.daemon.commands.story import Story, plain_of, story_of
from derctl.daemon.commands.volts import Window, of_poc
from derctl.daemon.requests import Requests, tightest
from derctl.store.outbox import Message

Key = tuple[str, str]


@dataclass(slots=True)
class Stories:
    """send: takes what goes to the broker. changed: something that must survive a restart has. heard: the record of
    who asked for what. plan: which function runs for whom. of: by principal and id, those that have
    not ended."""

    requests: Requests
    clock: Clock
    send: Callable[[Message], None]
    changed: Callable[[], None] = lambda: None
    heard: Heard = unheard
    plan: Callable[[], Plan] = Plan
    of: dict[Key, Story] = field(default_factory=dict)
    volts: Window = field(default_factory=Window)

    def begin(self, by: str, command_id: str, command: str, correlation: bytes | None, *, n: int = 1) -> bool:
        """Before it is carried out: so it is saved with what it asks for. n: of its answer. Whether it is a new
        one."""
        if (by, command_id) in self.of:
            return False
        begun = self.clock.stamp()
        self.of[by, command_id] = Story(
            id=command_id, by=by, command=command, correlation=correlation, begun=begun, n=n
        )
        return True

    def forget(self, by: str, command_id: str) -> None:
        """It was refused."""
        self.of.pop((by, command_id), None)

    def admitted(self, by: str, command_id: str, stamp: str) -> bool:
        """It was answered. Whether more follows: of what asked for nothing that lasts its answer is the end."""
        key = by, command_id
        if key not in self.requests.held and key not in self.requests.ended:
            self.forget(*key)
        elif key in self.of:
            self.of[key].admitted = stamp
        return key in self.of

    def between(self, by: str, command_id: str) -> tuple[dict[str, Any], bytes | None]:
        """Of one more answer, ahead of the last: its place among them, and the correlation data."""
        story = self.of.get((by, command_id))
        if story is None:
            return {"n": None, "last": False}, None
        self.changed()
        return {"n": story.counted(), "last": False, "admitted_t": story.admitted}, story.correlation

    def look(self, tick: Tick, outcomes: Mapping[str, Outcome]) -> None:
        """Once a tick, behind all that was asked for in it."""
        state = tick.state
        self.volts.add(state.t_s, of_poc(state.poc))
        if self.of:
            error_s = self.clock.error_s
            clock = {"t": self.clock.stamp(), "synced": self.clock.synced, "clock_error_s": error_s}
            limits = [each for each in state.requests if isinstance(each, LimitRequest | FloorRequest)]
            seen = Seen(
                state=state,
                decisions=tick.decisions,
                dt_s=tick.dt_s,
                at=at_poc(state, self.volts, clock),
                ders={der.id: der for der in state.ders},
                outcomes=outcomes,
                memories=tick.memories,
                asked={(each.by, each.id): each for each in state.requests},
                binding={(each.kind, each.der): each for each in tightest(limits)},
                runs=self.plan().runs,
            )
            for key in [key for key, story in self.of.items() if story.admitted]:
                self._look(key, seen)
        ended = self.requests.ended
        for key in [key for key in ended if key not in self.of]:
            del ended[key]

    def _look(self, key: Key, seen: Seen) -> None:
        story = self.of[key]
        if key not in self.requests.held and key not in seen.asked:  # what ended within the tick ends with the next
            why, by = self.requests.ended.pop(key, (Standing.EXPIRED, ""))
            del self.of[key]
            self._tell(story, story.end(why, by), record=told(story.record))
            return
        request = seen.asked.get(key)
        if request is None:  # it came within this tick
            return
        part, parts = getattr(request, "part", None), getattr(request, "parts", 0)
        if (part, parts) != (story.part, story.parts):
            self._turn(story, part, parts)
        effect = effect_of(request, seen)
        story.see(effect, seen.state.t_s)
        noted(story.record, request, seen, effect.became)
        if story.due(seen.state.t_s):
            self._tell(story, story.tell(seen.state.t_s), record=None)

    def _turn(self, story: Story, part: int | None, parts: int) -> None:
        """Another interval lasts now, or none. Of the one before it is said that it is over, where nothing was."""
        over = story.over
        if over is not None:
            self._tell(story, over, record=None)
        story.turn(part, parts)
        story.record.began.clear()

    def _tell(self, story: Story, effect: Effect, *, record: dict[str, Any] | None) -> None:
        assert effect.became is not None
        last = record is not None
        content = reply(story.id, story.command, effect.became, effect.code, effect.text, self.clock.stamp())
        content |= {"n": story.counted(), "last": last, "by": effect.by, "admitted_t": story.admitted}
        if last:
            content["record"] = record
        elif story.part is not None:
            content |= {"part": story.part, "parts": story.parts}
        self.send(answer(story.by, content, story.correlation))
        self.heard(story.by, story.command, story.id, effect.became, effect.text)
        self.changed()

    def plain(self) -> list[dict[str, Any]]:
        """For the state file."""
        return [plain_of(story) for story in self.of.values()]

    def restore(self, saved: Iterable[Mapping[str, Any]], bad: Callable[[str], None]) -> None:
        """Those whose answer went out, or may have: what was admitted before the end has its story told to its own
        end. bad: takes what one that can't be read says."""
        for each in saved:
            try:
                story = story_of(each)
            except msgspec.ValidationError as error:
                bad(str(error))
                continue
            self.of[story.by, story.id] = story
        for key, held in self.requests.held.items():
            if key not in self.of and not key[1].startswith(LOCAL_ID):
                self.of[key] = Story(id=key[1], by=key[0], command=held.request.kind, n=1)
        for story in self.of.values():
            story.admitted = story.admitted or story.begun or self.clock.stamp()
