"""alertd's dataclass does as the library's, and compiles nothing before it is needed."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from alertd.core import dataclass
from alertd.core.dataclass import dataclass as lean
from alertd.core.dataclass import replace

Maker = Callable[..., Any]
OPTIONS = [
    {"frozen": frozen, "slots": slots, "kw_only": kw_only, "eq": eq}
    for frozen in (True, False)
    for slots in (True, False)
    for kw_only in (True, False)
    for eq in (True, False)
]
GREETING = "hello"


@lean(frozen=True, slots=True, kw_only=True)
class Price:
    """Kept by pickle under its module's name."""

    amount: int
    notes: tuple[str, ...] = ()


def _made(maker: Maker, options: dict[str, bool]) -> Any:
    @maker(**options)
    class Sample:
        """Every kind of field."""

        SHARED: ClassVar[str] = GREETING
        name: str
        size: int = 3
        parts: list[int] = field(default_factory=list, compare=False)
        hidden: str = field(default="secret", repr=False)
        total: int = field(init=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.size * 2)

    return Sample


def _behaviour(kind: Any) -> dict[str, object]:
    """Return all that can be seen of a class and its objects."""

    def outcome(task: Callable[[], object]) -> object:
        try:
            return task()
        except (TypeError, AttributeError) as error:
            return type(error).__name__, str(error)

    one, same, other = kind(name="a"), kind(name="a", parts=[1]), kind(name="b", hidden="x")
    return {
        "text": repr(other),
        "equal": (one == same, one == other, one == "a"),
        "hash": outcome(lambda: hash(one) == hash(same)),
        "unhashable": kind.__hash__ is None,
        "set": outcome(lambda: setattr(one, "name", "c")),
        "deleted": outcome(lambda: delattr(copy.copy(one), "name")),
        # Of a frozen class with slots the library says it by an error about super().
        "unknown": outcome(lambda: setattr(one, "other", 1)) is None,
        "missing": outcome(kind),
        "surplus": outcome(lambda: kind(name="a", colour="red")),
        "by place": outcome(lambda: repr(kind("a", 4))),
        "fields": [(f.name, f.kw_only, f.init, f.repr) for f in dataclasses.fields(kind)],
        "changed": repr(dataclasses.replace(other, size=9)),
        "as a dict": dataclasses.asdict(other),
        "copied": copy.deepcopy(other) == other,
        "total": other.total,
        "shared": kind.SHARED,
        "pattern": kind.__match_args__,
        "slots": getattr(kind, "__slots__", None),
        "doc": kind.__doc__,
        "params": (kind.__dataclass_params__.frozen, kind.__dataclass_params__.eq),
    }


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(name for name, is_set in o.items() if is_set))
def test_class_when_made_by_either_decorator_then_behaves_alike(options: dict[str, bool]) -> None:
    """Objects, equality, hash, errors, copies and what others read of a class."""
    assert _behaviour(_made(lean, options)) == _behaviour(_made(dataclasses.dataclass, options))


def test_class_when_only_defined_then_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled is what takes the time."""
    compiled: list[str] = []
    create = dataclasses._create_fn  # type: ignore[attr-defined]

    def note(name: str, *parts: Any, **options: Any) -> Any:
        compiled.append(name)
        return create(name, *parts, **options)

    monkeypatch.setattr(dataclasses, "_create_fn", note)
    kind = _made(lean, {"frozen": True, "slots": True, "kw_only": True})
    assert compiled == []
    one = kind(name="a")
    assert compiled == []
    assert one == kind(name="a")
    assert "__eq__" in compiled
    assert not {"__init__", "__hash__", "__repr__"} & set(compiled)
    others = [kind(name="a", parts=[n]) for n in range(dataclass._FEW)]
    assert "__init__" in compiled
    compiled.clear()
    assert others == [one] * dataclass._FEW
    assert [other.parts for other in others] == [[n] for n in range(dataclass._FEW)]
    assert compiled == []


@pytest.mark.parametrize("made_before", [0, dataclass._FEW + 1], ids=["at first", "after a few"])
@pytest.mark.parametrize(
    ("places", "values"),
    [
        pytest.param((), {"name": "a"}, id="defaults fill the rest"),
        pytest.param((), {"name": "a", "size": 0, "parts": [1], "hidden": ""}, id="all by name"),
        pytest.param(("a", 4), {}, id="by place"),
        pytest.param(("a",), {"size": 4}, id="by place and name"),
        pytest.param(("a",), {"name": "b"}, id="one field twice"),
        pytest.param(("a", 1, [], "h", 5), {}, id="too many"),
        pytest.param((), {"size": 1}, id="one is missing"),
        pytest.param((), {"name": "a", "total": 5}, id="one that is not passed"),
        pytest.param((), {"name": "a", "colour": "red"}, id="unknown"),
        pytest.param((), {"name": "a", "size": None}, id="refused by the class's own check"),
    ],
)
def test_object_when_made_with_or_without_compiling_then_is_the_same(
    made_before: int, places: tuple[object, ...], values: dict[str, object]
) -> None:
    """The values of each field, and the words of each refusal."""

    def outcome(maker: Maker, options: dict[str, bool]) -> object:
        kind = _made(maker, options)
        for _ in range(made_before):
            kind(name="x")
        try:
            return dataclasses.asdict(kind(*places, **values))
        except TypeError as error:
            return str(error)

    for options in OPTIONS:
        assert outcome(lean, options) == outcome(dataclasses.dataclass, options)


@pytest.mark.parametrize("maker", [lean, dataclasses.dataclass])
def test_class_when_ordered_then_compares_as_tuples_do(maker: Maker) -> None:
    """Ranges of hours and problems of a file are sorted."""

    @maker(frozen=True, slots=True, order=True)
    class Place:
        """Two fields."""

        line: int
        column: int = 0

    place: Any = Place
    assert sorted([place(2), place(1, 5), place(1)]) == [place(1), place(1, 5), place(2)]
    assert (place(1) <= place(1), place(1) < place(1), place(2) > place(1)) == (True, False, True)
    with pytest.raises(TypeError, match="not supported between"):
        _ = place(1) < 1
    with pytest.raises(ValueError, match="eq must be true if order is true"):
        maker(order=True, eq=False)(type("Odd", (), {"__annotations__": {}, "__doc__": ""}))


@pytest.mark.parametrize("maker", [lean, dataclasses.dataclass])
def test_field_when_declared_again_then_the_new_default_counts(maker: Maker) -> None:
    """A rule type may do without a default of its base, or set another."""

    @maker(frozen=True, kw_only=True)
    class Base:
        """Two defaults."""

        first: int = 1
        second: list[int] = field(default_factory=list)
        third: int = 3

    @maker(frozen=True, kw_only=True)
    class Child(Base):
        """One of them anew."""

        third: int = 5

    base: Any = Base
    child: Any = Child
    assert [(one.first, one.second, one.third) for one in (child(), child(second=[2]))] == [(1, [], 5), (1, [2], 5)]
    assert (base().third, base().second is base().second) == (3, False)


def test_object_when_pickled_then_comes_back_whole() -> None:
    """Through processes, as the simulator and the tests use it."""
    price = Price(amount=3, notes=("x",))
    assert pickle.loads(pickle.dumps(price)) == price


@pytest.mark.parametrize("maker", [lean, dataclasses.dataclass])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(name for name, is_set in o.items() if is_set))
@pytest.mark.parametrize(
    "changes", [{}, {"size": 9}, {"size": 9, "name": "b"}, {"colour": "red"}, {"total": 1}], ids=repr
)
def test_object_when_replaced_then_as_the_library_does(
    maker: Maker, options: dict[str, bool], changes: dict[str, Any]
) -> None:
    """What `__post_init__` sets, what cannot be given, and fields that do not exist."""
    one = _made(maker, options)(name="a", parts=[1], hidden="x")

    def outcome(made: Callable[..., Any]) -> object:
        try:
            new = made(one, **changes)
        except (TypeError, ValueError) as error:
            return type(error), str(error)
        return type(new) is type(one), repr(new), new.hidden, new.parts is one.parts

    assert outcome(replace) == outcome(dataclasses.replace)


@pytest.mark.parametrize("maker", [lean, dataclasses.dataclass])
def test_object_when_replaced_then_it_is_frozen_and_equal_as_before(maker: Maker) -> None:
    """A copy is an object of the same class, whatever it was made by; the first is not touched."""

    @maker(frozen=True, slots=True, kw_only=True)
    class Pair:
        """No `__post_init__`, so that it is copied field by field."""

        left: int
        right: tuple[str, ...] = ()

    @maker(frozen=True, slots=True, kw_only=True)
    class Triple(Pair):
        """With fields of another class."""

        third: int = 3

    pair: Any = Pair
    triple: Any = Triple
    one = pair(left=1)
    other = replace(one, left=2)
    assert (one, other) == (pair(left=1), pair(left=2))
    assert hash(other) == hash(pair(left=2))
    assert type(other) is Pair
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.left = 3
    with pytest.raises(TypeError, match="colour"):
        replace(one, colour="red")
    assert replace(triple(left=1), right=("x",)) == triple(left=1, right=("x",))


@pytest.mark.parametrize("maker", [lean, dataclasses.dataclass])
def test_class_when_it_inherits_then_fields_and_freedom_are_checked_as_before(maker: Maker) -> None:
    """Rule types of plugins inherit from alertd's, by the library's decorator."""

    @maker(frozen=True, kw_only=True)
    class Child(Price):
        """One field more."""

        unit: str = "h"

    child: Any = Child(amount=1, unit="d")  # type: ignore[call-arg]
    assert repr(child).endswith("Child(amount=1, notes=(), unit='d')")
    assert child != Price(amount=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        child.amount = 2
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):

        @maker
        class _Loose(Price):
            """Not frozen."""


def test_class_when_methods_are_its_own_then_they_stay() -> None:
    """As the library leaves what is written."""

    @lean(frozen=True, slots=True)
    class Own:
        """Writes all of it."""

        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("own", True, 7)


def _inheriting(maker: Maker) -> Any:
    @maker(frozen=True)
    class Base:
        """With fields of every kind."""

        name: str
        size: int = 3
        hidden: str = field(default="h", repr=False)
        parts: list[int] = field(default_factory=list, compare=False)

        @property
        def title(self) -> str:
            return self.name.title()

    @maker(frozen=True, kw_only=True)
    class Child(Base):
        """Adds a field, and gives another default to one that it inherits."""

        unit: str = "h"
        size: int = 4
        SHARED: ClassVar[str] = GREETING

    return Child


def test_class_when_it_inherits_fields_then_behaves_as_the_librarys() -> None:
    """Rule types inherit most of their keys, and are defined long before one is made."""

    def seen(kind: Any) -> dict[str, object]:
        one = kind("a", unit="d")
        return {
            "text": repr(one),
            "equal": (one == kind("a", unit="d", parts=[1]), one == kind("a")),
            "hash": hash(one) == hash(kind("a", unit="d")),
            "fields": [(f.name, f.kw_only, f.init, f.repr, f.type) for f in dataclasses.fields(kind)],
            "default": (kind.size, kind.unit, hasattr(kind, "parts"), one.size),
            "changed": repr(dataclasses.replace(one, size=9, name="b")),
            "copied": copy.deepcopy(one) == one,
            "pattern": kind.__match_args__,
            "inherited": one.title,
            "own": sorted(vars(kind)["__annotations__"]),
        }

    assert seen(_inheriting(lean)) == seen(_inheriting(dataclasses.dataclass))
    with pytest.raises(dataclasses.FrozenInstanceError):
        _inheriting(lean)("a").name = "b"
