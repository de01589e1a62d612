"""A value behaves as the frozen dataclass does whose place it takes."""

import copy
import dataclasses
import inspect
import pickle
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from derctl.core.value import made, replace, value


@value
class Made:
    p_w: float
    name: str = "pv1"
    parts: tuple[str, ...] = ()
    seen: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def kw(self) -> float:
        return self.p_w / 1000.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    p_w: float
    name: str = "pv1"
    parts: tuple[str, ...] = ()
    seen: dict[str, float] = dataclasses.field(default_factory=dict)


def test_it_takes_the_same_arguments_and_shows_the_same_fields() -> None:
    given: Any = {"p_w": 5.0, "parts": ("a",)}
    assert dataclasses.asdict(Made(**given)) == dataclasses.asdict(Plain(**given))
    assert list(inspect.signature(Made).parameters) == list(inspect.signature(Plain).parameters)
    assert repr(Made(**given)) == repr(Plain(**given)).replace("Plain", "Made")


@pytest.mark.parametrize("given", [{}, {"p_w": 1.0, "power": 2.0}])
def test_a_missing_and_a_strange_argument_are_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"Made\.__init__"):
        Made(**given)


def test_nothing_of_it_changes_and_nothing_is_added() -> None:
    made = Made(p_w=5.0)
    for name in ("p_w", "more"):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(made, name, 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.p_w
    assert (made.p_w, type(made)) == (5.0, Made)


def test_each_gets_a_default_of_its_own() -> None:
    assert Made(p_w=1.0).seen is not Made(p_w=1.0).seen


def test_equal_values_are_equal_and_hash_alike() -> None:
    one, other = Made(p_w=5.0, seen={}), Made(p_w=5.0)
    assert one == other and one != replace(one, p_w=6.0)

    @value
    class Point:
        x: float

    assert len({Point(x=1.0), Point(x=1.0), Point(x=2.0)}) == 2


def test_a_replaced_field_leaves_the_first_as_it_was() -> None:
    one = Made(p_w=5.0, name="bat1")
    other = replace(one, p_w=6.0)
    assert (other.p_w, other.name, other.kw, type(other)) == (6.0, "bat1", 0.006, Made)
    assert one.p_w == 5.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.p_w = 7.0  # type: ignore[misc]


def test_a_field_that_it_lacks_cannot_be_replaced() -> None:
    with pytest.raises(AttributeError, match="power"):
        replace(Made(p_w=5.0), power=6.0)  # type: ignore[call-arg]


def test_any_dataclass_is_replaced() -> None:
    assert replace(Plain(p_w=5.0), p_w=6.0) == Plain(p_w=6.0)


def test_it_may_be_generic() -> None:
    kind = TypeVar("kind")

    @value
    class Track(Generic[kind]):
        last: kind | None = None
        at_s: float = 0.0

    assert replace(Track(last=5.0), at_s=1.0) == Track(last=5.0, at_s=1.0)
    assert repr(Track(last="x")).endswith("Track(last='x', at_s=0.0)")


def test_it_goes_through_json_a_copy_and_a_pickle() -> None:
    one = Made(p_w=5.0, parts=("a", "b"), seen={"x": 1.0})
    assert msgspec.json.decode(msgspec.json.encode(one), type=Made) == one
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_class_that_inherits_or_does_something_when_built_is_no_plain_value() -> None:
    class Behind:
        x: float

        def __post_init__(self) -> None:
            raise AssertionError

    class Child(Plain):
        x: float

    for each in (Behind, Child):
        with pytest.raises(TypeError, match=f"{each.__name__} is no plain value"):
            value(each)


def test_a_function_makes_the_same_as_its_class() -> None:
    making = made(Made)
    assert making(p_w=5.0, parts=("a",)) == Made(p_w=5.0, parts=("a",))
    assert type(making(p_w=5.0)) is Made
    assert making(p_w=5.0).seen is not making(p_w=5.0).seen
    with pytest.raises(dataclasses.FrozenInstanceError):
        making(p_w=5.0).p_w = 6.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        making(power=5.0)  # type: ignore[call-arg]


def test_a_function_makes_a_generic_value() -> None:
    kind = TypeVar("kind")

    @value
    class Track(Generic[kind]):
        last: kind | None = None

    assert made(Track[float])(last=5.0) == Track(last=5.0)


def test_values_are_equal_as_tuples_of_their_fields_are() -> None:
    """The same NaN is itself, another one is not; what does not compare is left out."""

    @value
    class Point:
        x: float
        note: str = dataclasses.field(default="", compare=False)

    @value
    class Other:
        x: float

    nan = float("nan")
    assert Point(x=nan) == Point(x=nan)
    assert Point(x=nan) != Point(x=float("nan"))
    assert Point(x=1.0, note="a") == Point(x=1.0, note="b")
    given: Any = Other(x=1.0)
    assert Point(x=1.0) != given
