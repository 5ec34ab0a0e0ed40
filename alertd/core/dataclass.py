"""
A lazy `dataclasses.dataclass`: fields are read and methods are compiled when they are needed; a fast `replace`.

The standard library takes about a millisecond per class definition, and a command that only reads imports two hundred
classes but instantiates sixty, most of them once. So the first objects of a class are made without a compiled
`__init__`. Behaviour and errors are those of the standard library.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

__all__ = ["dataclass", "replace"]

_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")
_ALONE = {
    "__init__": {"init": True},
    "__repr__": {"repr": True},
    "__eq__": {"eq": True},
    "__hash__": {"eq": True, "unsafe_hash": True},
    **{method: {"eq": True, "order": True} for method in _ORDER},
}
"""Options with which the standard library generates one method and as few others as possible."""
_FEW = 4
"""So many objects of a class are made before its `__init__` is compiled, which takes as long as to make hundreds."""
_MISSING = dataclasses.MISSING
_DEFAULTS: dict[type, dict[str, Any]] = {}
"""The defaults of a class's fields as they are written, values or `Field` objects, inherited ones with them."""

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        eq: bool = True,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        order: bool = False,
        **others: bool,
    ) -> Any:  # noqa: ANN401 -- a class or a decorator
        """Do what `dataclasses.dataclass` does; it handles classes with any other option itself."""

        def made(cls: type) -> type:
            names = _fields_of(cls, frozen=frozen)
            is_odd = order and (not eq or not vars(cls).keys().isdisjoint(_ORDER))
            if others or names is None or is_odd:
                options = {"eq": eq, "frozen": frozen, "slots": slots, "kw_only": kw_only, "order": order}
                return dataclasses.dataclass(cls, **options, **others)
            return _lean(cls, names, eq=eq, frozen=frozen, slots=slots, kw_only=kw_only, order=order)

        return made if cls is None else made(cls)

    def replace(one: Any, /, **changes: object) -> Any:  # noqa: ANN401 -- an object of a dataclass
        """Do what `dataclasses.replace` does, in a fifth of the time for objects with many fields."""
        copy = _copier(type(one))
        if copy is None:
            return dataclasses.replace(one, **changes)
        new = copy(one)
        try:
            for name, value in changes.items():
                setattr(new, name, value)
        except AttributeError:
            # No such field: the standard library says so.
            return dataclasses.replace(one, **changes)
        new.__class__ = type(one)
        return new


@cache
def _copier(cls: type[Any]) -> Callable[[Any], Any] | None:
    """
    Return what copies an object of a class into one with the same slots whose fields can be set; None if that is wrong.

    A frozen dataclass sets each field by a call of `object.__setattr__`, and `dataclasses.replace` looks up each
    field's definition first: with the 45 fields of an alert that takes longer than judging it.
    """
    fields = dataclasses.fields(cls)
    names = tuple(field.name for field in fields)
    is_plain = cls.__bases__ == (object,) and vars(cls).get("__slots__") == names and len(names) > 1
    if not is_plain or hasattr(cls, "__post_init__") or not all(field.init for field in fields):
        return None
    made: Callable[..., Any] = dataclasses.make_dataclass(cls.__name__, names, eq=False, repr=False, slots=True)
    values_of = attrgetter(*names)
    return lambda one: made(*values_of(one))


def _fields_of(cls: type, *, frozen: bool) -> tuple[str, ...] | None:
    """Return the names of a class's fields, inherited ones first; None if the standard library must handle it."""
    found: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if base is not cls and "__dataclass_params__" not in vars(base):
            continue
        if base is not cls and base.__dataclass_params__.frozen is not frozen:  # type: ignore[attr-defined] # checked above
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
    """A class's `__dataclass_fields__`, which the standard library reads from the annotations on first access."""

    def __init__(self, read: Callable[[], dict[str, Any]]) -> None:
        self._read = read

    def __get__(self, _one: object, _owner: type) -> dict[str, Any]:
        return self._read()


@cache
def _params(*, eq: bool, frozen: bool, order: bool) -> object:
    """Return a class's `__dataclass_params__`, against which the standard library checks subclasses."""
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False)(type("Any", (), {"__doc__": "No fields."}))
    params: Any = vars(made)["__dataclass_params__"]
    params.init, params.repr, params.eq, params.frozen, params.order = True, True, eq, frozen, order
    return params


def _lean(
    cls: type[Any], names: tuple[str, ...], *, eq: bool, frozen: bool, slots: bool, kw_only: bool, order: bool
) -> Any:  # noqa: ANN401 -- a class, whose methods are set
    own = dict(vars(cls))
    is_hash_own = own.get("__hash__") is not None or ("__hash__" in own and "__eq__" not in own)
    later = {"__repr__", *(("__eq__",) if eq else ()), *(_ORDER if order else ())}
    later = {method for method in later if method not in own}
    if eq and frozen and not is_hash_own:
        later.add("__hash__")
    lean: Any = _without_defaults(cls, own, names, slots=slots)
    if eq and not frozen and not is_hash_own:
        lean.__hash__ = None

    def twin(options: dict[str, bool], *, frozen: bool = False) -> type:
        # A class with the same fields, so that its methods work on objects of the lean class.
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
    _DEFAULTS[lean] = _defaults(cls, own, names)
    if "__init__" not in own:
        lean.__init__ = _few_first(lean, compiled, frozen=frozen)
    if frozen:
        _freeze(lean, names, has_slots=slots)
    if "__match_args__" not in own:
        by_place = getattr(cls, "__match_args__", ())
        lean.__match_args__ = tuple(  # type: ignore[misc] # typeshed has it read-only
            name
            for name in names
            if (_is_by_place(own.get(name), kw_only=kw_only) if name in cls.__annotations__ else name in by_place)
        )
    lean.__dataclass_params__ = _params(eq=eq, frozen=frozen, order=order)
    lean.__dataclass_fields__ = _Fields(read)
    return lean


def _without_defaults(cls: type, own: dict[str, Any], names: tuple[str, ...], *, slots: bool) -> type:
    """Return the class without `Field` objects as attributes; with slots it is a new class, without field defaults."""
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
    """Return whether a field with this default can be passed as a positional argument."""
    if not isinstance(default, dataclasses.Field):
        return not kw_only
    return default.init and not (kw_only if default.kw_only is dataclasses.MISSING else default.kw_only)


def _twin(lean: type[Any], own: dict[str, Any], names: tuple[str, ...]) -> type:
    """Return a class with all that the standard library reads to generate methods; inherited fields are its own."""
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
    # Without a docstring it would get its signature as one, which takes as long as everything else.
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


def _defaults(cls: type, own: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        found |= _DEFAULTS[base] if base in _DEFAULTS else vars(base).get("__dataclass_fields__", {})
    annotated = cls.__annotations__
    return {name: own.get(name, _MISSING) if name in annotated else found[name] for name in names}


def _few_first(lean: Any, compiled: Callable[[str], Any], *, frozen: bool) -> Callable[..., Any]:  # noqa: ANN401 -- a class
    """Return an `__init__` that makes the first objects itself; it is compiled for the others, and for every error."""
    put = object.__setattr__ if frozen else setattr
    left = _FEW

    def init(self: object, /, *args: object, **values: object) -> None:
        nonlocal left
        left -= 1
        given = dict(zip(lean.__match_args__, args, strict=False)) | values
        is_few = left >= 0 and len(given) == len(args) + len(values)
        found = _values(_DEFAULTS[lean], given) if is_few else None
        if found is None:
            lean.__init__ = compiled("__init__")
            lean.__init__(self, *args, **values)
            return
        for name, value in found.items():
            put(self, name, value)
        if hasattr(lean, "__post_init__"):
            self.__post_init__()  # type: ignore[attr-defined] # checked above

    init.__name__, init.__qualname__ = "__init__", f"{lean.__qualname__}.__init__"
    return init


def _values(defaults: dict[str, Any], given: dict[str, object]) -> dict[str, object] | None:
    """Return the value of each field of an object; None if what was passed does not fit."""
    found = {}
    for name, default in defaults.items():
        is_field = isinstance(default, dataclasses.Field)
        if name in given:
            if is_field and not default.init:
                return None
            found[name] = given[name]
        elif is_field and default.default_factory is not _MISSING:
            found[name] = default.default_factory()
        else:
            found[name] = value = default.default if is_field else default
            if value is _MISSING:
                return None
    return found if given.keys() <= defaults.keys() else None


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
        # For copying and pickling, which would otherwise set attributes.
        def state(self: object) -> list[object]:
            return [getattr(self, name) for name in fields]

        def restore(self: object, values: list[object]) -> None:
            for name, value in zip(fields, values, strict=True):
                object.__setattr__(self, name, value)

        lean.__getstate__, lean.__setstate__ = state, restore
