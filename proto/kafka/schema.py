"""The schemas of Kafka's messages: what they are made of, and how to read one."""
import dataclasses
import re

FOREVER = 32767
INTEGERS = {"int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8}
FIXED_SIZES = INTEGERS | {"bool": 1, "float64": 8, "uuid": 16, "error_code": 2}
LEAVES = set(FIXED_SIZES) | {"string", "bytes", "records"}


class SchemaError(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Versions:
    """The closed range [low, high]; empty when low > high."""

    low: int
    high: int

    @staticmethod
    def parse(text):
        match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
        if text == "none":
            return Versions(1, 0)
        if not match:
            raise SchemaError(f"no version range: {text}")
        low = int(match[1])
        if match[2] == "+":
            return Versions(low, FOREVER)
        return Versions(low, int(match[3]) if match[3] else low)

    def __contains__(self, version):
        return self.low <= version <= self.high

    def within(self, other):
        return Versions(max(self.low, other.low), min(self.high, other.high))

    def empty(self):
        return self.low > self.high

    def __str__(self):
        if self.high == FOREVER:
            return f"{self.low}+"
        return f"{self.low}-{self.high}" if self.low < self.high else f"{self.low}"


NEVER = Versions(1, 0)


@dataclasses.dataclass
class Field:
    name: str
    type: str  # Of one element, for an array.
    array: bool
    versions: Versions
    nullable: Versions = NEVER
    tag: int = -1
    tagged: Versions = NEVER
    ignorable: bool = False
    default: str = ""
    plain: bool = False  # Never in the compact form.

    @property
    def is_struct(self):
        return self.type not in LEAVES

    @property
    def optional(self):
        return not self.nullable.empty()


@dataclasses.dataclass
class Struct:
    name: str
    versions: Versions
    fields: list


@dataclasses.dataclass
class Message:
    name: str  # ProduceRequest
    kind: str  # request, response, header or data
    versions: Versions
    flexible: Versions
    root: Struct
    structs: dict  # By name, the root excepted.

    def hoisted(self):
        """Structs that cannot be nested classes: an optional of a nested class with initializers is
        ill-formed inside the class around it. With those go the structs inside them."""
        names = set()

        def add(struct):
            names.add(struct.name)
            for field in struct.fields:
                if field.is_struct and field.type not in names:
                    add(self.structs[field.type])

        for struct in self.ordered_structs():
            for field in struct.fields:
                if field.is_struct and field.optional and not field.array:
                    add(self.structs[field.type])
        return names

    def ordered_structs(self):
        """Every struct after those that it contains; the root last."""
        done, order = set(), []

        def visit(struct):
            for field in struct.fields:
                if field.is_struct and field.type not in done:
                    done.add(field.type)
                    visit(self.structs[field.type])
            order.append(struct)

        visit(self.root)
        return order


@dataclasses.dataclass
class Schema:
    stem: str
    api: str = ""
    key: int = -1
    advertised: Versions = NEVER
    messages: list = dataclasses.field(default_factory=list)

    def message(self, kind):
        return next(m for m in self.messages if m.kind == kind)


def parse_field(words):
    array = words[1].startswith("[]")
    field = Field(words[0], words[1].removeprefix("[]"), array, Versions.parse(words[2]))
    rest = iter(words[3:])
    for word in rest:
        if word == "nullable":
            field.nullable = Versions.parse(next(rest))
        elif word == "tag":
            field.tag = int(next(rest))
            field.tagged = Versions.parse(next(rest))
        elif word == "ignorable":
            field.ignorable = True
        elif word == "default":
            field.default = next(rest)
        elif word == "plain":
            field.plain = True
        else:
            raise SchemaError(f"{field.name}: unknown word {word}")
    if not field.tagged.empty() and field.type == "records":
        raise SchemaError(f"{field.name}: records cannot be tagged")
    return field


def add_message(schema, name, kind, versions, flexible):
    parsed = Versions.parse(versions)
    message = Message(name, kind, parsed, Versions.parse(flexible), Struct(name, parsed, []), {})
    schema.messages.append(message)
    return message


def parse_line(schema, words, depth, stack):
    """Takes one line; `stack` holds (depth, struct) of the structs that are open."""
    head = words[0]
    if depth == 0 and head == "api":
        schema.key, schema.api = int(words[1]), words[2]
        if words[3:4] == ["advertised"]:
            schema.advertised = Versions.parse(words[4])
    elif depth == 0 and head in ("request", "response"):
        name = schema.api + head.capitalize()
        stack[:] = [(0, add_message(schema, name, head, words[1], words[3]).root)]
    elif depth == 0 and head in ("header", "data"):
        stack[:] = [(0, add_message(schema, words[1], head, words[2], words[4]).root)]
    elif depth == 0 and head == "struct":
        message = schema.messages[-1]
        message.structs[words[1]] = Struct(words[1], message.versions, [])
        stack[:] = [(0, message.structs[words[1]])]
    else:
        message = schema.messages[-1]
        while stack[-1][0] >= depth:
            stack.pop()
        struct = stack[-1][1]
        field = parse_field(words)
        struct.fields.append(field)
        if field.is_struct:
            # Its fields follow inline, unless it is shared: then `struct` replaces this one.
            inline = Struct(field.type, struct.versions.within(field.versions), [])
            stack.append((depth, message.structs.setdefault(field.type, inline)))


def parse_schema(path):
    schema = Schema(path.stem)
    stack = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.split("#")[0].rstrip()
        if not text:
            continue
        try:
            parse_line(schema, text.split(), len(text) - len(text.lstrip()), stack)
        except (SchemaError, IndexError, ValueError) as error:
            raise SystemExit(f"{path}:{number}: {error!r}")
    for message in schema.messages:
        check_message(path, message)
    return schema


def check_message(path, message):
    for struct in message.ordered_structs():
        tags = sorted(f.tag for f in struct.fields if not f.tagged.empty())
        if tags != sorted(set(tags)):
            raise SystemExit(f"{path}: {struct.name}: a tag is used twice")
        for field in struct.fields:
            if field.type == "string" and field.default not in ("", "null"):
                raise SystemExit(f"{path}: {field.name}: a string's default is empty or null")
