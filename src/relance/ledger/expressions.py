"""What indexes and searches share: expressions that both must write alike, and folded copies."""

from collections.abc import Sequence
from typing import Any

from django.db.models import BigIntegerField, CharField, Func, Model
from django.db.models.functions import Upper

from relance.formats.text import fold


class ByteOrder(Func):
    """A text compared byte by byte whatever the database's language, so that a range is a prefix.

    SQLite does so by itself.
    """

    template = "%(expressions)s"
    arity = 1
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """With the collation that PostgreSQL needs."""
        return self.as_sql(compiler, connection, template='%(expressions)s COLLATE "C"', **context)


class NumberTail(Func):
    """The digits that end a text, without leading zeros.

    Written out, for SQLite takes an index only for the same words, without parameters.
    """

    _digits = "'0123456789'"
    template = f"LTRIM(SUBSTR(%(expressions)s, LENGTH(RTRIM(%(expressions)s, {_digits})) + 1), '0')"
    arity = 1
    output_field = CharField()


class Minus(Func):
    """A whole number with the other sign, for an index that goes down."""

    template = "(-%(expressions)s)"
    arity = 1
    output_field = BigIntegerField()


def upper_number() -> Func:
    """An invoice's number as the search compares it."""
    return ByteOrder(Upper("number"))


def number_tail() -> Func:
    """The digits that end an invoice's number: 862 for `F-2026-0862`."""
    return NumberTail("number")


class FoldedField(CharField):  # type: ignore[type-arg]
    """Other fields of the row, folded for searching; computed whenever the row is written."""

    def __init__(self, *args: Any, sources: Sequence[str] = (), **options: Any) -> None:
        self.sources = tuple(sources)
        usual: dict[str, Any] = {"editable": False, "blank": True, "default": ""}
        super().__init__(*args, **(usual | options))

    def pre_save(self, model_instance: Model, add: bool) -> str:
        """The folded text; a number is also found without its spaces."""
        written = " ".join(getattr(model_instance, name) for name in self.sources)
        text = folded(written)[: self.max_length]
        setattr(model_instance, self.attname, text)
        return text

    def deconstruct(self) -> Any:
        """With the names of the fields."""
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "sources": self.sources}


def folded(text: str) -> str:
    """No accents, case or punctuation, and digits in groups (02 98) once more as one (0298)."""
    plain = fold(text)
    joined = "".join(word for word in plain.split() if word.isdigit())
    return f"{plain} {joined}" if len(joined) > 5 else plain
