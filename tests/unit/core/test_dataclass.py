"""A dataclass of ours behaves as the standard one, but that it shares what it does with all others."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any, ClassVar, get_type_hints

import pytest

from derctl.core.dataclass import dataclass
from derctl.core.value import replace

FROZEN: dict[str, Any] = {"frozen": True, "slots": True, "kw_only": True}
OPEN: dict[str, Any] = {"slots": True}


def made(with_: Any, **options: Any) -> Any:
    """The same class by ours and by the standard one."""

    @with_(**options)
    class Made:
        """What it is."""

        kind: ClassVar[str] = "made"
        p_w: float
        name: str = field(default="pv1", compare=False)
        parts: tuple[str, ...] = field(default=(), repr=False, hash=False)
        seen: dict[str, float] = field(default_factory=dict, hash=False)

    return Made


@pytest.fixture(params=[FROZEN, OPEN], ids=["frozen", "open"])
def both(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return made(dataclass, **request.param), made(dataclasses.dataclass, **request.param)


def test_it_says_and_takes_what_the_standard_one_does(both: tuple[Any, Any]) -> None:
    ours, standard = both
    assert repr(ours(p_w=5.0, parts=("a",))) == repr(standard(p_w=5.0, parts=("a",)))
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(standard).parameters)
    assert dataclasses.asdict(ours(p_w=5.0)) == dataclasses.asdict(standard(p_w=5.0))
    assert (ours.__doc__, ours.__match_args__) == (standard.__doc__, standard.__match_args__)
    assert get_type_hints(ours.__init__)["p_w"] is float


@pytest.mark.parametrize(
    "change", [{}, {"p_w": 6.0}, {"p_w": float("nan")}, {"name": "b"}, {"parts": ("a",)}, {"seen": {"a": 1.0}}]
)
def test_it_is_equal_to_what_the_standard_one_is_equal_to(both: tuple[Any, Any], change: dict[str, Any]) -> None:
    ours, standard = both
    for kind in both:
        assert kind(p_w=5.0) != 5.0 and kind(p_w=5.0) != made(dataclass, **FROZEN)(p_w=5.0)
    nan = replace(ours(p_w=5.0), **change)
    assert nan == replace(nan, seen=dict(nan.seen)), "the same object is equal to itself, whatever it says of itself"
    assert (ours(p_w=5.0) == nan) is (standard(p_w=5.0) == dataclasses.replace(standard(p_w=5.0), **change))


def test_only_what_nothing_changes_has_a_hash_and_of_what_counts() -> None:
    ours = made(dataclass, **FROZEN)
    assert hash(ours(p_w=5.0, seen={"a": 1.0})) == hash(ours(p_w=5.0, name="b", parts=("c",)))
    assert hash(ours(p_w=5.0)) != hash(ours(p_w=6.0))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made(dataclass, **OPEN)(p_w=5.0))

    @dataclass(frozen=True, slots=True)
    class Pair:
        a: int
        b: int

    assert hash(Pair(1, 2)) == hash((1, 2)) and {Pair(1, 2): "x"}[Pair(1, 2)] == "x"


def test_nothing_of_a_frozen_one_changes() -> None:
    frozen, open_ = made(dataclass, **FROZEN)(p_w=5.0), made(dataclass, **OPEN)(p_w=5.0)
    for name in ("p_w", "more"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            setattr(frozen, name, 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError, match="p_w"):
        del frozen.p_w
    open_.p_w = 6.0
    assert (frozen.p_w, open_.p_w) == (5.0, 6.0)
    assert replace(frozen, p_w=7.0).p_w == 7.0


@dataclass(frozen=True, slots=True)
class Own:
    """It says itself what it is."""

    a: int

    def __repr__(self) -> str:
        return "own"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Bare:
    a: int


@dataclass(frozen=True, slots=True)
class More(Bare):
    b: int = 0


def test_what_a_class_says_itself_stays() -> None:
    assert (repr(Own(1)), hash(Own(1)), Own(1) == Own(2)) == ("own", 1, True)


def test_one_that_says_only_what_is_equal_is_hashed_by_its_fields() -> None:
    """As the standard one: Python has taken its hash away before."""

    @dataclass(frozen=True, slots=True)
    class Alike:  # noqa: PLW1641
        a: int

        def __eq__(self, other: object) -> bool:
            return True

    assert Alike(1) == Alike(2) and hash(Alike(1)) == hash((1,))


def test_one_that_is_made_of_another_has_the_fields_of_both() -> None:
    one = More(1, b=2)
    assert (repr(one), one == More(1, 2), one == More(1, 3), one == Bare(1)) == ("More(a=1, b=2)", True, False, False)
    assert get_type_hints(More.__init__)["a"] is int and Bare.__doc__ == "Bare"


def test_it_is_copied_and_travels() -> None:
    assert copy.copy(More(1)) == copy.deepcopy(More(1)) == pickle.loads(pickle.dumps(More(1))) == More(1)


def test_one_that_holds_itself_can_be_shown() -> None:
    @dataclass(slots=True)
    class Ring:
        next: Any = None

    ring = Ring()
    ring.next = ring
    assert repr(ring).endswith("Ring(next=...)")


def test_no_class_has_methods_of_its_own_but_the_first() -> None:
    """The point of it: 400 classes times six."""
    names = ("__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__")
    assert all(getattr(Bare, name) is getattr(More, name) for name in names)
    assert Bare.__init__ is not More.__init__
    assert Bare.__init__.__annotations__ is Bare.__annotations__
