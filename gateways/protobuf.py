"""Protobuf messages as plain JSON-like values, from a description in a few lines. Pure. https://protobuf.dev/programming-guides/encoding/

The two formats that need it name thirty messages; their descriptions are written down here beside what reads them, so that
nothing is generated and no package of bindings is needed: Google's own runtime, in C, builds the classes from them.

    Message: 1 uint64 timestamp, 2 Metric* metrics      a star: repeated
    enum Cause: UNKNOWN_CAUSE=1, OTHER_CAUSE=2
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from broker.errors import Malformed
from gateways import foreign
from gateways.foreign import Json

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: getattr(_Field, f"TYPE_{name.upper()}")
    for name in ("uint32", "uint64", "int32", "int64", "float", "double", "bool", "string", "bytes")
}


class Schema:
    """The messages that a description names."""

    def __init__(self, package: str, description: str) -> None:
        file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
        lines = dict(line.split(": ", 1) for line in description.strip().splitlines())
        enums = {name.removeprefix("enum ") for name in lines if name.startswith("enum ")}
        for name, body in lines.items():
            if name.startswith("enum "):
                _describe_enum(file.enum_type.add(name=name.removeprefix("enum ")), body)
            else:
                _describe(file.message_type.add(name=name), body, package, enums)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._classes = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
            for name in (message.name for message in file.message_type)
        }

    def parse(self, name: str, payload: bytes) -> Json:
        """The members that are set, by name. Raises Malformed, and UnicodeDecodeError for a text that is none."""
        message = self._classes[name]()
        try:
            message.ParseFromString(payload)
        except DecodeError as error:
            raise Malformed(f"no protobuf of a {name}: {error}") from error
        return dict(_members(message))

    def parse_text(self, name: str, text: str) -> Json:
        """The same of protobuf's text format. Raises Malformed."""
        message = self._classes[name]()
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as error:
            raise Malformed(f"no {name} in protobuf's text format: {error}") from error
        return dict(_members(message))

    def make(self, name: str, **members: object) -> Message:
        """A message, to be sent."""
        return self._classes[name](**members)


def _describe(message: descriptor_pb2.DescriptorProto, body: str, package: str, enums: set[str]) -> None:
    for described in body.split(", "):
        number, kind, name = described.split()
        repeated, kind = kind.endswith("*"), kind.rstrip("*")
        label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        field = message.field.add(name=name, number=int(number), label=label)
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type = _Field.TYPE_ENUM if kind in enums else _Field.TYPE_MESSAGE
            field.type_name = f".{package}.{kind}"


def _describe_enum(enum: descriptor_pb2.EnumDescriptorProto, body: str) -> None:
    for described in body.split(", "):
        name, number = described.split("=")
        enum.value.add(name=name, number=int(number))


def _members(message: Message) -> Iterator[tuple[str, object]]:
    for field, found in message.ListFields():
        if field.is_repeated:
            yield field.name, [_plain(field, one) for one in found]
        else:
            yield field.name, _plain(field, found)


def _plain(field: FieldDescriptor, found: object) -> object:
    match found:
        case Message():
            return dict(_members(found))
        case int() if field.enum_type is not None:
            return field.enum_type.values_by_number[found].name
        case float() if field.type == _Field.TYPE_FLOAT:
            return foreign.shortest(found)
    return found
