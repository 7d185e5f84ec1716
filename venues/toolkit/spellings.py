"""One meaning, several spellings: a value whose meaning is certain is read as if it were written as documented.

That is a count as a text or as 12.0, a time as ISO 8601 or as a whole number of its unit, an optional figure that is an
empty text, a documented word in any case, an id that is a number. Any other value stays as it is; the decoder refuses
it under the name of its field. (Decimals need none of this: `venues.toolkit.numbers` takes both spellings.)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta, inspect

from venues.errors import BadMessage
from venues.toolkit.numbers import shown, whole
from venues.toolkit.times import LATEST_MS, LATEST_S, iso_ms

if TYPE_CHECKING:
    from collections.abc import Collection

Id: TypeAlias = Annotated[str, Meta(extra={"is": "id"})]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST_MS, extra={"is": "time", "unit_ms": 1})]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST_S, extra={"is": "time", "unit_ms": 1000})]


def in_any_case(text: str, words: Collection[str]) -> str | None:
    """The documented word that a text is, ignoring case; None if it is none, or if two words differ only in case."""
    if text in words:
        return text
    alike = [word for word in words if word.casefold() == text.casefold()]
    return alike[0] if len(alike) == 1 else None


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
    usual = _usual(value, _kind_of(shape))
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


def _usual(value: Any, kind: inspect.Type) -> Any:
    """The value in the usual spelling; the same object if nothing in it is spelled otherwise."""
    match kind:
        case inspect.StructType() if isinstance(value, dict):
            return _usual_struct(value, kind)
        case inspect.ListType() if isinstance(value, list):
            items = [_usual(item, kind.item_type) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        case inspect.DictType() if isinstance(value, dict):
            return _changed(value, {name: _usual(item, kind.value_type) for name, item in value.items()})
        case inspect.UnionType():
            return _usual_member(value, kind.types)
        case inspect.Metadata():
            return _usual_annotated(value, kind)
        case inspect.LiteralType() if isinstance(value, str):
            found = in_any_case(value, [word for word in kind.values if isinstance(word, str)])
            return value if found is None else found
        case inspect.IntType() if not isinstance(value, int):
            count = whole(value)
            return value if count is None else count
        case _:
            return value


def _usual_struct(value: dict[str, Any], kind: inspect.StructType) -> dict[str, Any]:
    usual = {
        field.encode_name: _usual(value[field.encode_name], field.type)
        for field in kind.fields
        if field.encode_name in value
    }
    if isinstance(kind.tag, str) and kind.tag_field is not None:
        usual[kind.tag_field] = kind.tag
    return _changed(value, usual)


def _changed(value: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {**value, **usual} if any(value[name] is not new for name, new in usual.items()) else value


def _usual_member(value: Any, members: tuple[inspect.Type, ...]) -> Any:
    if value is None:
        return value
    if isinstance(value, dict):
        struct = _struct_of(value, [member for member in members if isinstance(member, inspect.StructType)])
        return value if struct is None else _usual(value, struct)
    if any(_takes(member, value) for member in members):
        return value
    may_be_absent = any(isinstance(member, inspect.NoneType) for member in members)
    if may_be_absent and (value == "" or (whole(value) == 0 and any(map(_is_time, members)))):
        return None  # a time of 0 was never set
    return next((usual for member in members if (usual := _usual(value, member)) is not value), value)


def _takes(member: inspect.Type, value: Any) -> bool:
    match member:
        case inspect.AnyType() | inspect.RawType():
            return True
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.IntType():
            return isinstance(value, int)
        case inspect.LiteralType():
            return value in member.values
        case _:
            return False


def _struct_of(value: dict[str, Any], structs: list[inspect.StructType]) -> inspect.StructType | None:
    """The struct that the value's tag names, exactly or ignoring case; None if none does. An only one needs no tag."""
    if len(structs) == 1:
        return structs[0]
    by_tag = {struct.tag: struct for struct in structs if isinstance(struct.tag, str)}
    said = [value.get(struct.tag_field) for struct in structs[:1] if struct.tag_field is not None]
    if not said or not isinstance(said[0], str):
        return None
    tag = in_any_case(said[0], by_tag)
    return None if tag is None else by_tag[tag]


def _usual_annotated(value: Any, kind: inspect.Metadata) -> Any:
    match (kind.extra or {}).get("is"):
        case "id":
            return str(value) if type(value) is int else value
        case "time":
            return _time(value, (kind.extra or {})["unit_ms"])
        case _:
            return _usual(value, kind.type)


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
