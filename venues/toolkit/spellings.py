"""One meaning, several spellings: a value whose meaning is certain is read as if it were written as documented.

That is a count as a text or as 12.0, a time as ISO 8601 or as a whole number of its unit, an optional figure that is an
empty text, a documented word in any case, an id that is a number. Any other value stays as it is; the decoder refuses
it under the name of its field. (Decimals need none of this: `venues.toolkit.numbers` takes both spellings.)
"""

from __future__ import annotations

from functools import cache, partial
from operator import is_not
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta, inspect

from venues.errors import BadMessage
from venues.toolkit.numbers import shown, whole
from venues.toolkit.times import LATEST_MS, LATEST_S, iso_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    _Speller: TypeAlias = Callable[[Any], Any]

Id: TypeAlias = Annotated[str, Meta(extra={"is": "id"})]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST_MS, extra={"is": "time", "unit_ms": 1})]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST_S, extra={"is": "time", "unit_ms": 1000})]


def in_any_case(text: str, words: Collection[str]) -> str | None:
    """The documented word that a text is, ignoring case; None if it is none, or if two words differ only in case."""
    if text in words:
        return text
    match [word for word in words if word.casefold() == text.casefold()]:
        case [only]:
            return only
    return None


def documented(text: str, words: Collection[str], path: str) -> str:
    """The documented word that a text is, ignoring case.

    Raises:
        BadMessage: it is none of them; names `path`.
    """
    if text in words:  # as documented, without a second call
        return text
    found = in_any_case(text, words)
    if found is None:
        expected = " or ".join(words) if len(words) == 2 else f"one of {', '.join(words)}"
        raise BadMessage(f"expected {expected} at `{path}`, got {shown(text)}")
    return found


def respelled(value: Any, shape: Any) -> Any | None:
    """The value of a frame in the documented spelling; None if nothing in it could be spelled otherwise."""
    usual = _speller_of(shape)(value)
    return None if usual is value else usual


@cache
def left_as_sent(shape: Any) -> frozenset[str]:
    """The names of a struct's fields that stay the bytes they came as."""
    kind = _kind_of(shape)
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    return frozenset(field.encode_name for field in fields if _is_raw(field.type))


def _is_raw(kind: inspect.Type) -> bool:
    return any(isinstance(each, inspect.RawType) for each in getattr(kind, "types", (kind,)))


@cache
def _kind_of(shape: Any) -> inspect.Type:
    return inspect.type_info(shape)


@cache
def _speller_of(shape: Any) -> _Speller:
    return _Spellers().of(_kind_of(shape))


class _Spellers:
    """What each type of one shape needs, worked out once: to ask it of every value would be most of the time."""

    def __init__(self) -> None:
        self.made: dict[int, _Speller] = {}  # by the id of a struct's type: one may hold others of its own type

    def of(self, kind: inspect.Type) -> _Speller:
        """Gives a value in the usual spelling; the same object if nothing in it is spelled otherwise."""
        match kind:
            case inspect.StructType():
                return self._of_struct(kind)
            case inspect.ListType():
                return _of_list(self.of(kind.item_type))
            case inspect.DictType():
                return _of_dict(self.of(kind.value_type))
            case inspect.UnionType():
                return self._of_union(kind.types)
            case inspect.Metadata():
                return self._of_annotated(kind)
            case inspect.LiteralType():
                return _of_words([word for word in kind.values if isinstance(word, str)])
            case inspect.IntType():
                return _count
            case _:
                return _as_it_is

    def _of_struct(self, kind: inspect.StructType) -> _Speller:
        if id(kind) in self.made:
            return self.made[id(kind)]
        fields: list[tuple[str, _Speller]] = []
        made = self.made[id(kind)] = _of_fields(fields)
        found = [(field.encode_name, self.of(field.type)) for field in kind.fields]
        if isinstance(kind.tag, str) and kind.tag_field is not None:
            found.append((kind.tag_field, _of_words([kind.tag])))
        fields += [(name, speller) for name, speller in found if speller is not _as_it_is]
        return made

    def _of_union(self, members: tuple[inspect.Type, ...]) -> _Speller:
        structs = [member for member in members if isinstance(member, inspect.StructType)]
        spellers = [speller for speller in map(self.of, members) if speller is not _as_it_is]
        may_be_absent = any(isinstance(member, inspect.NoneType) for member in members)
        has_time = any(map(_is_time, members))
        takes = _taker(members)

        def usual(value: Any) -> Any:
            if value is None:
                return value
            if isinstance(value, dict):
                struct = _struct_of(value, structs)
                return value if struct is None else self.of(struct)(value)
            if takes(value):
                return value
            if may_be_absent and (value == "" or (has_time and whole(value) == 0)):
                return None  # a time of 0 was never set
            return next((usual for speller in spellers if (usual := speller(value)) is not value), value)

        return usual

    def _of_annotated(self, kind: inspect.Metadata) -> _Speller:
        extra = kind.extra or {}
        match extra.get("is"):
            case "id":
                return _id
            case "time":
                return partial(_time, unit_ms=extra["unit_ms"])
            case _:
                return self.of(kind.type)


def _as_it_is(value: Any) -> Any:
    return value


def _of_list(item: _Speller) -> _Speller:
    def usual(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        items = [item(each) for each in value]
        return items if any(map(is_not, items, value)) else value

    return _as_it_is if item is _as_it_is else usual


def _of_dict(item: _Speller) -> _Speller:
    def usual(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        items = {name: item(each) for name, each in value.items()}
        return items if any(map(is_not, items.values(), value.values())) else value

    return _as_it_is if item is _as_it_is else usual


def _of_fields(fields: list[tuple[str, _Speller]]) -> _Speller:
    def usual(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        changed = {
            name: new for name, speller in fields if name in value and (new := speller(value[name])) is not value[name]
        }
        return {**value, **changed} if changed else value

    return usual


def _of_words(words: list[str]) -> _Speller:
    def usual(value: Any) -> Any:
        found = in_any_case(value, words) if isinstance(value, str) else None
        return value if found is None else found

    return usual if words else _as_it_is


def _taker(members: tuple[inspect.Type, ...]) -> Callable[[Any], bool]:
    """Tells whether one of the types takes a value as it is."""
    if any(isinstance(member, inspect.AnyType | inspect.RawType) for member in members):
        return lambda value: True
    classes = tuple(
        cls
        for kind, cls in ((inspect.StrType, str), (inspect.IntType, int))
        if any(isinstance(m, kind) for m in members)
    )
    words = [word for member in members if isinstance(member, inspect.LiteralType) for word in member.values]
    return lambda value: isinstance(value, classes) or value in words


def _struct_of(value: dict[str, Any], structs: list[inspect.StructType]) -> inspect.StructType | None:
    """The struct that the value's tag names, exactly or ignoring case; None if none does. An only one needs no tag."""
    match structs:
        case [only]:
            return only
    by_tag = {struct.tag: struct for struct in structs if isinstance(struct.tag, str)}
    said = [value.get(struct.tag_field) for struct in structs[:1] if struct.tag_field is not None]
    if not said or not isinstance(said[0], str):
        return None
    tag = in_any_case(said[0], by_tag)
    return None if tag is None else by_tag[tag]


def _count(value: Any) -> Any:
    count = None if isinstance(value, int) else whole(value)
    return value if count is None else count


def _id(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _is_time(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and (kind.extra or {}).get("is") == "time"


def _time(value: Any, unit_ms: int) -> Any:
    if isinstance(value, int):
        return value
    count = whole(value)
    if count is not None:
        return count
    try:
        return iso_ms(value, "") // unit_ms if isinstance(value, str) else value
    except BadMessage:
        return value
