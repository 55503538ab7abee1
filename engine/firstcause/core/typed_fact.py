"""What a kind of facts is: a class of typed and described fields, from which the reference is made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firstcause.core.model import Fact


@dataclass(frozen=True)
class Doc:
    """What a field holds, in a few words. is_code: whether that is an error code."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, kw_only=True)
class TypedFact:
    """Base of all kinds. A field without a value (None) is not part of the fact."""

    kind: ClassVar[str]
    about: ClassVar[str]
    """When there is such a fact, as Markdown for docs/rules.md."""
    closed: ClassVar[bool] = False
    """Whether no fact of the kind has other fields than these, so that a rule that asks for one is wrong."""

    open_prefixes: ClassVar[tuple[str, ...]] = ()
    """Beginnings of further fields that facts of the kind may have, whatever follows."""

    id: Annotated[str, Doc("unique among all facts")]

    def to_fact(self) -> Fact:
        """Return the fact as rules see it: a flat dict, without the fields that have no value."""
        # Not `dataclasses.asdict`, which copies every value: facts are built for every alert of a storm.
        fact: Fact = {"kind": self.kind, **self.__dict__}
        optional_fields, word_fields = _list_conversions(self.__class__)  # type: ignore[arg-type] # a class is hashable
        for name in optional_fields:
            if fact[name] is None:
                del fact[name]
        # Words are plain text, since an enum's member equals no literal of a rule.
        for name in word_fields:
            if name in fact:
                fact[name] = str(fact[name])
        return fact


@dataclass(frozen=True)
class FieldInfo:
    """One field of a kind. types: of its values. words: all that it may hold, None for any value."""

    name: str
    doc: Doc
    types: tuple[type, ...]
    words: tuple[str, ...] | None


def list_fields(fact_class: type[TypedFact]) -> Iterator[FieldInfo]:
    """Read the fields of a kind from its annotations, `id` first."""
    for name, hint in get_type_hints(fact_class, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        annotation, doc = get_args(hint)
        options = [option for option in _list_options(annotation) if option is not type(None)]
        words = tuple(word for option in options for word in _list_words(option))
        types = tuple(
            dict.fromkeys(str if _list_words(option) else get_origin(option) or option for option in options)
        )
        yield FieldInfo(name.rstrip("_"), doc, types, words or None)


def _list_options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _is_enum(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, StrEnum)


def _list_words(option: Any) -> tuple[str, ...]:
    """List the words that a type may hold; none for any type that is not of words."""
    if get_origin(option) is Literal:
        return get_args(option)
    return tuple(option) if _is_enum(option) else ()


@cache
def _list_conversions(fact_class: type[TypedFact]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the fields of a kind that may be None, and those that hold members of an enum.

    Read from the annotations once, as that is slow.
    """
    hints = get_type_hints(fact_class)
    optional_fields = tuple(field.name for field in fields(fact_class) if field.default is None)
    word_fields = tuple(
        field.name
        for field in fields(fact_class)
        if any(_is_enum(option) for option in _list_options(hints[field.name]))
    )
    return optional_fields, word_fields
