"""
The library's dataclass, whose fields are read and whose methods are compiled when they are first needed.

The library takes about a millisecond for each class as it is defined: a command that only asks imports a hundred
classes and makes objects of ten. What a class can do, and how it fails, is the library's.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

__all__ = ["dataclass"]

_ALONE = {
    "__init__": {"init": True},
    "__repr__": {"repr": True},
    "__eq__": {"eq": True},
    "__hash__": {"eq": True, "unsafe_hash": True},
}
"""What the library is asked to write one method and as few others as it can."""

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        eq: bool = True,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        **others: bool,
    ) -> Any:  # noqa: ANN401 -- a class, or what makes one
        """Do as `dataclasses.dataclass` does; classes that want more than a few options are left to it whole."""

        def made(cls: type) -> type:
            names = _fields_of(cls, frozen=frozen)
            if others or names is None:
                options = {"eq": eq, "frozen": frozen, "slots": slots, "kw_only": kw_only}
                return dataclasses.dataclass(cls, **options, **others)
            return _lean(cls, names, eq=eq, frozen=frozen, slots=slots, kw_only=kw_only)

        return made if cls is None else made(cls)


def _fields_of(cls: type, *, frozen: bool) -> tuple[str, ...] | None:
    """Return the names of the fields of a class, inherited ones first; None where the library has to judge it."""
    found: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if base is not cls and "__dataclass_params__" not in vars(base):
            continue
        if base is not cls and base.__dataclass_params__.frozen is not frozen:  # type: ignore[attr-defined] # asked above
            return None
        kind: Any
        for name, kind in base.__annotations__.items():
            if isinstance(kind, dataclasses.InitVar) or kind in (dataclasses.InitVar, dataclasses.KW_ONLY):
                return None
            if isinstance(kind, str) and any(word in kind for word in ("ClassVar", "InitVar", "KW_ONLY")):
                return None
            if kind is not ClassVar and get_origin(kind) is not ClassVar:
                found[name] = None
    return tuple(found)


class _Fields:
    """A class's `__dataclass_fields__`, which the library reads from its annotations when somebody asks."""

    def __init__(self, read: Callable[[], dict[str, Any]]) -> None:
        self._read = read

    def __get__(self, _one: object, _owner: type) -> dict[str, Any]:
        return self._read()


@cache
def _params(*, eq: bool, frozen: bool) -> object:
    """Return what the library notes of a class, by which it checks those that inherit from it."""
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False)(type("Any", (), {"__doc__": "No fields."}))
    params: Any = vars(made)["__dataclass_params__"]
    params.init, params.repr, params.eq, params.frozen = True, True, eq, frozen
    return params


def _lean(cls: type[Any], names: tuple[str, ...], *, eq: bool, frozen: bool, slots: bool, kw_only: bool) -> Any:  # noqa: ANN401 -- a class, whose methods are set
    own = dict(vars(cls))
    is_hash_own = own.get("__hash__") is not None or ("__hash__" in own and "__eq__" not in own)
    later = {"__init__", "__repr__"} | ({"__eq__"} if eq else set())
    later = {method for method in later if method not in own}
    if eq and frozen and not is_hash_own:
        later.add("__hash__")
    lean: Any = _without_defaults(cls, own, names, slots=slots)
    if eq and not frozen and not is_hash_own:
        lean.__hash__ = None

    def twin(options: dict[str, bool], *, frozen: bool = False) -> type:
        # A class of the same fields; methods of one class work on objects of the other.
        asked = {"init": False, "repr": False, "eq": False} | options
        return dataclasses.dataclass(frozen=frozen, kw_only=kw_only, **asked)(_twin(lean, own, names))

    def read() -> dict[str, Any]:
        found: dict[str, Any] = vars(twin({}))["__dataclass_fields__"]
        lean.__dataclass_fields__ = found
        return found

    def compiled(method: str) -> Callable[..., Any]:
        found: Callable[..., Any] = vars(twin(_ALONE[method], frozen=frozen and method == "__init__"))[method]
        return found

    for method in later:
        setattr(lean, method, _compiled_first(lean, method, compiled))
    if frozen:
        _freeze(lean, names, has_slots=slots)
    if "__match_args__" not in own:
        by_place = getattr(cls, "__match_args__", ())
        lean.__match_args__ = tuple(  # type: ignore[misc] # typeshed has it read-only
            name
            for name in names
            if (_is_by_place(own.get(name), kw_only=kw_only) if name in cls.__annotations__ else name in by_place)
        )
    lean.__dataclass_params__ = _params(eq=eq, frozen=frozen)
    lean.__dataclass_fields__ = _Fields(read)
    return lean


def _without_defaults(cls: type, own: dict[str, Any], names: tuple[str, ...], *, slots: bool) -> type:
    """Return a class whose fields are no attributes of its own but by their defaults; with slots it is another."""
    if not slots:
        for name in names:
            if isinstance(default := own.get(name), dataclasses.Field):
                delattr(cls, name)
                if default.default is not dataclasses.MISSING:
                    setattr(cls, name, default.default)
        return cls
    inherited = {slot for base in cls.__mro__[1:-1] for slot in vars(base).get("__slots__", ())}
    body = {name: value for name, value in own.items() if name not in {*names, "__dict__", "__weakref__"}}
    body["__slots__"] = tuple(name for name in names if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _is_by_place(default: object, *, kw_only: bool) -> bool:
    """Return whether a field with this default can be given by its place among the arguments."""
    if not isinstance(default, dataclasses.Field):
        return not kw_only
    return default.init and not (kw_only if default.kw_only is dataclasses.MISSING else default.kw_only)


def _twin(lean: type[Any], own: dict[str, Any], names: tuple[str, ...]) -> type:
    """Return a class with what the library reads of one to write its methods; inherited fields are its own."""
    annotations = lean.__annotations__
    body = {name: own[name] for name in annotations if name in own}
    kinds = {name: kind for name, kind in annotations.items() if name not in names}
    for name in names:
        if name in annotations:
            kinds[name] = annotations[name]
        else:
            holder: Any = next(base for base in lean.__mro__[1:] if name in getattr(base, "__dataclass_fields__", ()))
            body[name] = inherited = holder.__dataclass_fields__[name]
            kinds[name] = inherited.type
    body |= {"__annotations__": kinds, "__module__": lean.__module__, "__qualname__": lean.__qualname__}
    # Without one it would be given its signature, which takes as long as all the rest.
    body["__doc__"] = lean.__doc__
    if hasattr(lean, "__post_init__"):
        body["__post_init__"] = lean.__post_init__
    return type(lean.__name__, (), body)


def _compiled_first(lean: type, method: str, compiled: Callable[[str], Callable[..., Any]]) -> Callable[..., Any]:
    def first(self: object, /, *args: object, **values: object) -> object:
        found = compiled(method)
        setattr(lean, method, found)
        return found(self, *args, **values)

    first.__name__, first.__qualname__ = method, f"{lean.__qualname__}.{method}"
    return first


def _freeze(lean: Any, fields: tuple[str, ...], *, has_slots: bool) -> None:  # noqa: ANN401 -- a class, whose methods are set
    def refuse(self: object, name: str, verb: str) -> None:
        if type(self) is lean or name in fields:
            raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")

    def set_attribute(self: object, name: str, value: object) -> None:
        refuse(self, name, "assign to")
        super(lean, self).__setattr__(name, value)

    def delete_attribute(self: object, name: str) -> None:
        refuse(self, name, "delete")
        super(lean, self).__delattr__(name)

    lean.__setattr__, lean.__delattr__ = set_attribute, delete_attribute
    if has_slots:
        # How objects are copied and pickled, which would set attributes otherwise.
        def state(self: object) -> list[object]:
            return [getattr(self, name) for name in fields]

        def restore(self: object, values: list[object]) -> None:
            for name, value in zip(fields, values, strict=True):
                object.__setattr__(self, name, value)

        lean.__getstate__, lean.__setstate__ = state, restore
