"""
The library's dataclass, with methods that are compiled when they are first called.

The library compiles six methods for each class as it is defined, which takes about a millisecond: a command that only
asks imports a hundred classes and makes objects of ten. What a class can do, and how it fails, is the library's.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

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
        """Do as `dataclasses.dataclass` does; classes that inherit fields or want more are left to it whole."""

        def made(cls: type) -> type:
            if others or any(map(dataclasses.is_dataclass, cls.__mro__)):
                options = {"eq": eq, "frozen": frozen, "slots": slots, "kw_only": kw_only}
                return dataclasses.dataclass(cls, **options, **others)
            return _lean(cls, eq=eq, frozen=frozen, slots=slots, kw_only=kw_only)

        return made if cls is None else made(cls)


def _lean(cls: type, *, eq: bool, frozen: bool, slots: bool, kw_only: bool) -> type:
    own = dict(vars(cls))
    is_hash_own = own.get("__hash__") is not None or ("__hash__" in own and "__eq__" not in own)
    later = {"__init__", "__repr__"} | ({"__eq__"} if eq else set())
    later = {method for method in later if method not in own}
    if eq and frozen and not is_hash_own:
        later.add("__hash__")
    lean: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
    if eq and not frozen and not is_hash_own:
        lean.__hash__ = None

    def compiled(method: str) -> Callable[..., Any]:
        # Of a class of the same fields; methods of one class work on objects of the other.
        options = {"init": False, "repr": False, "eq": False} | _ALONE[method]
        frozen_init = frozen and method == "__init__"
        twin: type = dataclasses.dataclass(frozen=frozen_init, slots=slots, kw_only=kw_only, **options)(
            _twin(lean, own)
        )
        found: Callable[..., Any] = vars(twin)[method]
        return found

    for method in later:
        setattr(lean, method, _compiled_first(lean, method, compiled))
    if frozen:
        _freeze(lean, has_slots=slots)
    # Classes that inherit from it by the library's own decorator are checked by these.
    params = lean.__dataclass_params__
    params.init, params.repr, params.eq, params.frozen = True, True, eq, frozen
    return cast("type", lean)


def _twin(lean: type, own: dict[str, Any]) -> type:
    """Return a class with what the library reads of one to write its methods."""
    annotations = own.get("__annotations__", {})
    body = {name: own[name] for name in annotations if name in own}
    body |= {"__annotations__": annotations, "__module__": lean.__module__, "__qualname__": lean.__qualname__}
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


def _freeze(lean: Any, *, has_slots: bool) -> None:  # noqa: ANN401 -- a class, whose methods are set
    fields = dataclasses.fields(lean)
    names = frozenset(field.name for field in fields)

    def refuse(self: object, name: str, verb: str) -> None:
        if type(self) is lean or name in names:
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
            return [getattr(self, field.name) for field in fields]

        def restore(self: object, values: list[object]) -> None:
            for field, value in zip(fields, values, strict=True):
                object.__setattr__(self, field.name, value)

        lean.__getstate__, lean.__setstate__ = state, restore
