"""Emits the header and the source of one schema: structs, Decode and Encode."""
from cpp import (BANNER, both_conditions, condition, default_value, element_type,
                 element_wire_bytes, guarded, initializer, is_set, member_type, qualified,
                 starts_null)
from schema import FIXED_SIZES, INTEGERS, Versions

# ---- Header ----------------------------------------------------------------------------------


def describe(field, struct):
    notes = []
    if str(field.versions) != "0+":
        notes.append(str(field.versions))
    if field.optional:
        same = field.versions.within(field.nullable) == field.versions
        notes.append("nullable" if same else f"nullable {field.nullable}")
    if not field.tagged.empty():
        notes.append(f"tag {field.tag}")
    return f"  // {', '.join(notes)}" if notes else ""


def struct_members(message, struct):
    for field in struct.fields:
        yield (f"{member_type(message, field)} {field.name}{initializer(message, field)};"
               f"{describe(field, struct)}")


def header_struct(schema, message):
    flexible = message.flexible.low if not message.flexible.empty() else "INT16_MAX"
    hoisted = message.hoisted()
    out = []
    for struct in message.ordered_structs()[:-1]:
        if struct.name in hoisted:
            out.append(f"struct {message.name}{struct.name} {{")
            out += ["  " + line for line in struct_members(message, struct)]
            out += ["};", ""]
    out.append(f"struct {message.name} {{")
    out += [f'  static constexpr std::string_view kName = "{message.name}";']
    if schema.api:
        out.append(f"  static constexpr ApiKey kApiKey = ApiKey::k{schema.api};")
    out += [f"  static constexpr int16_t kMinVersion = {message.versions.low};",
            f"  static constexpr int16_t kMaxVersion = {message.versions.high};",
            f"  static constexpr int16_t kFirstFlexibleVersion = {flexible};", ""]
    for struct in message.ordered_structs()[:-1]:
        if struct.name in hoisted:
            out += [f"  using {struct.name} = {message.name}{struct.name};", ""]
            continue
        out.append(f"  struct {struct.name} {{")
        out += ["    " + line for line in struct_members(message, struct)]
        out += ["  };", ""]
    out += ["  " + line for line in struct_members(message, message.root)]
    lifetime = ""
    if message.kind in ("request", "header"):
        lifetime = " Strings are views of its frame"
    out += ["",
            f"  // Reads one message from `reader`.{lifetime or ' Strings are copied'}; bytes and"
            " records share the frame.",
            "  // kUnsupportedVersion, or kInvalidRequest naming the field and the byte.",
            f"  static absl::StatusOr<{message.name}> Decode(Reader& reader, int16_t version);",
            "  // Appends this to `writer`. kUnsupportedVersion when a field is set that `version`"
            " can neither",
            "  // carry nor ignore.",
            "  absl::Status Encode(Writer& writer, int16_t version) const;",
            "};", ""]
    return out


def header_file(schema):
    title = schema.api or schema.messages[0].name
    out = [BANNER.format(source=f"schemas/{schema.stem}.txt") + "//",
           f"// {title}. Members carry the versions that have them; see docs/codec.md.",
           "#pragma once", "",
           "#include <cstdint>", "#include <optional>", "#include <string>",
           "#include <string_view>", "#include <utility>", "#include <vector>", "",
           '#include "absl/status/status.h"', '#include "absl/status/statusor.h"',
           '#include "common/bytes.h"', '#include "common/uuid.h"']
    if schema.api:
        out.append('#include "proto/kafka/api_key.h"')
    out += ['#include "proto/kafka/error_code.h"', '#include "proto/kafka/reader.h"',
            '#include "proto/kafka/records_list.h"', '#include "proto/kafka/writer.h"', "",
            "namespace garam::kafka {", ""]
    for message in schema.messages:
        out += header_struct(schema, message)
    return "\n".join(out + ["}  // namespace garam::kafka", ""])


# ---- Decode ----------------------------------------------------------------------------------


def compact(field):
    return "false" if field.plain else "flexible"


def read_element(message, field):
    """A C++ expression that reads one element, not null."""
    name = f'"{field.name}"'
    if field.type in INTEGERS:
        return f"r.Int<{field.type}_t>({name})"
    if field.type == "error_code":
        return f"static_cast<ErrorCode>(r.Int<int16_t>({name}))"
    if field.type == "string":
        return f"r.String({compact(field)}, {name})"
    if field.type in ("bytes", "records"):
        return f"r.ReadBytes({compact(field)}, {name})"
    function = {"bool": "Bool", "float64": "Float64", "uuid": "ReadUuid"}[field.type]
    return f"r.{function}({name})"


def read_array(message, field, target, nullable, context):
    element = element_type(message, field)
    if field.is_struct:
        element = f"{message.name}::{field.type}"
        one = "Read(r, version, e);"
    elif field.type == "string" and element == "std::string":
        one = f"e = std::string({read_element(message, field)});"
    else:
        one = f"e = {read_element(message, field)};"
    least = element_wire_bytes(message, field, context)
    fresh = f"{target}.emplace()" if field.optional else target
    count = (f'r.ArrayCount({compact(field)}, {nullable}, {least}, sizeof({element}), '
             f'"{field.name}")')
    lines = [f"if (const int64_t n = {count}; n >= 0) {{",
             f'  r.ReadArray({fresh}, n, "{field.name}", [&]({element}& e) {{ {one} }});']
    if nullable != "false":
        lines += ["} else {", f"  {target}.reset();"]
    return lines + ["}"]


def read_value(message, field, context, tagged=False):
    """Lines that read a field that is there."""
    target = f"out.{field.name}"
    nullable = condition(field.nullable, context) if field.optional else "false"
    if field.array:
        return read_array(message, field, target, nullable, context)
    if field.is_struct:
        fresh = f"{target}.emplace()" if field.optional else target
        read = f'r.ReadStruct("{field.name}", [&] {{ Read(r, version, {fresh}); }});'
        if not field.optional:
            return [read]
        test = f'r.StructFollows("{field.name}")'
        if tagged:  # Behind a tag Kafka has another marker: a varint.
            test = f'r.UnsignedVarint("{field.name}") != 0'
        follows = [f"if ({test}) {{", f"  {read}", "} else {", f"  {target}.reset();", "}"]
        if nullable == "true":
            return follows
        return either(nullable, follows, [read])
    plain = [f"{target} = {read_element(message, field)};"]
    if not field.optional or field.type in FIXED_SIZES:
        return plain
    function = "OptionalString" if field.type == "string" else "OptionalBytes"
    null = [f'{target} = r.{function}({compact(field)}, "{field.name}");']
    return either(nullable, null, plain)


def either(test, yes, no):
    if test == "true":
        return yes
    if test == "false":
        return no
    return ([f"if ({test}) {{"] + ["  " + line for line in yes] + ["} else {"] +
            ["  " + line for line in no] + ["}"])


def read_tags(message, struct, context):
    flexible = condition(message.flexible, context)
    tagged = sorted((f for f in struct.fields if not f.tagged.within(context).empty()),
                    key=lambda f: f.tag)
    if not tagged:
        return guarded(flexible, ["r.SkipTags();"])
    lines = ["for (uint32_t left = r.TagCount(); left > 0 && r.ok(); --left) {",
             "  const Reader::Tag tag = r.BeginTag();", "  switch (tag.number) {"]
    for field in tagged:
        span = field.tagged.within(field.versions)
        test = condition(span, message.flexible.within(context))
        lines.append(f"    case {field.tag}:")
        if test != "true":
            lines += [f"      if (!({test})) {{", "        r.SkipTag(tag);", "        break;",
                      "      }"]
        body = read_value(message, field, span.within(context), tagged=True)
        lines += ["      " + line for line in body]
        lines += [f'      r.EndTag(tag, "{field.name}");', "      break;"]
    lines += ["    default:", "      r.SkipTag(tag);", "  }", "}"]
    return guarded(flexible, lines)


def flexible_line(message, context):
    test = condition(message.flexible, context)
    return f"  [[maybe_unused]] const bool flexible = {test};"


def read_function(message, struct):
    context = struct.versions
    out = ["void Read([[maybe_unused]] Reader& r, [[maybe_unused]] int16_t version,",
           f"          [[maybe_unused]] {qualified(message, struct)}& out) {{",
           flexible_line(message, context)]
    for field in struct.fields:
        here = field.versions.within(context)
        if here.empty():
            continue
        untagged = []
        if field.tagged.empty():
            untagged = [(condition(field.versions, context), here)]
        elif field.tagged.low > here.low:
            before = Versions(here.low, field.tagged.low - 1)
            untagged = [(condition(before, context), before)]
        for test, span in untagged:
            out += ["  " + line for line in guarded(test, read_value(message, field, span))]
    out += ["  " + line for line in read_tags(message, struct, context)]
    return out + ["}", ""]


# ---- Encode ----------------------------------------------------------------------------------


def write_element(message, field, value):
    if field.type in INTEGERS:
        return f"w.Int<{field.type}_t>({value});"
    if field.type == "error_code":
        return f"w.Int(static_cast<int16_t>({value}));"
    if field.type == "string":
        return f'w.String({compact(field)}, {value}, "{field.name}");'
    if field.type == "bytes":
        return f"w.WriteBytes({compact(field)}, {value});"
    if field.type == "records":
        return f"w.Records({compact(field)}, {value});"
    if field.is_struct:
        return f"Write(w, version, {value});"
    function = {"bool": "Bool", "float64": "Float64", "uuid": "WriteUuid"}[field.type]
    return f"w.{function}({value});"


def write_array(message, field, member):
    element = "const auto& e" if field.type not in FIXED_SIZES or field.type == "uuid" else "auto e"
    return [f"w.ArrayCount({compact(field)}, {member}.size());",
            f"for ({element} : {member}) {write_element(message, field, 'e')}"]


def write_value(message, field, context, tagged=False):
    member = f"in.{field.name}"
    label = f'"{field.name}"'
    if not field.optional:
        if field.array:
            return write_array(message, field, member)
        return [write_element(message, field, member)]
    nullable = condition(field.nullable, context)
    if field.array:
        return either(f"{member}.has_value()", write_array(message, field, f"(*{member})"),
                      [f"w.NullArray({compact(field)}, {nullable}, {label});"])
    if field.is_struct:
        marker = f"w.StructFollows({member}.has_value(), {nullable}, {label});"
        there = f"if ({member}.has_value()) Write(w, version, *{member});"
        missing = f"if (!{member}.has_value()) {marker}"
        if tagged:
            marker = f"w.UnsignedVarint({member}.has_value() ? 1 : 0);"
        return either(nullable, [marker, there], [missing, there])
    function = {"string": "String", "bytes": "Bytes", "records": "Records"}[field.type]
    return [f"w.Optional{function}({compact(field)}, {nullable}, {member}, {label});"]


def write_tags(message, struct, context):
    flexible = condition(message.flexible, context)
    tagged = sorted((f for f in struct.fields if not f.tagged.within(context).empty()),
                    key=lambda f: f.tag)
    if not tagged:
        return guarded(flexible, ["w.UnsignedVarint(0);"])
    lines, count = [], []
    for field in tagged:
        span = field.tagged.within(field.versions)
        test = both_conditions(condition(span, message.flexible.within(context)),
                               is_set(field, f"in.{field.name}"))
        lines.append(f"const bool has_{field.name} = {test};")
        count.append(f"(has_{field.name} ? 1U : 0U)")
    lines.append(f"w.UnsignedVarint({' + '.join(count)});")
    for field in tagged:
        span = field.tagged.within(field.versions).within(context)
        body = [f"const Writer::TagMark mark = w.BeginTag({field.tag});"]
        body += write_value(message, field, span, tagged=True) + ["w.EndTag(mark);"]
        lines += [f"if (has_{field.name}) {{"] + ["  " + line for line in body] + ["}"]
    return guarded(flexible, lines)


def write_function(message, struct):
    context = struct.versions
    out = ["void Write([[maybe_unused]] Writer& w, [[maybe_unused]] int16_t version,",
           f"           [[maybe_unused]] const {qualified(message, struct)}& in) {{",
           flexible_line(message, context)]
    for field in struct.fields:
        here = field.versions.within(context)
        fail = (f"if ({is_set(field, 'in.' + field.name)}) "
                f'w.FailUnsupported("{struct.name}.{field.name}");')
        if here.empty():
            if not field.ignorable:
                out.append("  " + fail)
            continue
        present = condition(field.versions, context)
        untagged = here
        if not field.tagged.empty():
            untagged = Versions(here.low, field.tagged.low - 1)
        lines = []
        if not untagged.empty():
            lines = guarded(condition(untagged, here), write_value(message, field, untagged))
        if present == "true":
            out += ["  " + line for line in lines]
        elif field.ignorable:
            out += ["  " + line for line in guarded(present, lines)]
        elif lines:
            out += ["  " + line for line in either(present, lines, [fail])]
        else:
            out += ["  " + line for line in guarded(f"!({present})", [fail])]
    out += ["  " + line for line in write_tags(message, struct, context)]
    return out + ["}", ""]


def default_functions(message):
    """IsDefault for the structs whose default-ness some field asks about."""
    needed = set()

    def need(name):
        if name not in needed:
            needed.add(name)
            for field in message.structs[name].fields:
                if field.is_struct and not field.array:
                    need(field.type)

    for struct in message.ordered_structs():
        for field in struct.fields:
            asks = not field.tagged.empty() or (
                not field.ignorable and condition(field.versions, struct.versions) != "true")
            if asks and field.is_struct and not field.array and not starts_null(field):
                need(field.type)
    out = []
    for struct in message.ordered_structs()[:-1]:
        if struct.name in needed:
            tests = [f"!({is_set(f, 'in.' + f.name)})" for f in struct.fields]
            out += [f"bool IsDefault(const {qualified(message, struct)}& in) {{",
                    "  return " + " &&\n         ".join(tests or ["true"]) + ";", "}", ""]
    return out


# ---- Source ----------------------------------------------------------------------------------


def entry_points(message):
    name = message.name
    # Inside Encode, a parameter would hide a field of the same name.
    hidden = any(field.name == "version" for field in message.root.fields)
    version = "at_version" if hidden else "version"
    return [f"absl::StatusOr<{name}> {name}::Decode(Reader& reader, int16_t version) {{",
            "  if (version < kMinVersion || version > kMaxVersion)",
            "    return UnsupportedVersion(kName, version, kMinVersion, kMaxVersion);",
            f"  {name} message;",
            "  Read(reader, version, message);",
            "  if (!reader.ok()) return reader.status(kName, version);",
            "  return message;", "}", "",
            f"absl::Status {name}::Encode(Writer& writer, int16_t {version}) const {{",
            f"  if ({version} < kMinVersion || {version} > kMaxVersion)",
            f"    return UnsupportedVersion(kName, {version}, kMinVersion, kMaxVersion);",
            f"  Write(writer, {version}, *this);",
            f"  return writer.status(kName, {version});", "}", ""]


def source_file(schema):
    out = [BANNER.format(source=f"schemas/{schema.stem}.txt"),
           f'#include "proto/kafka/{schema.stem}.h"', "",
           '#include "proto/kafka/unsupported_version.h"', "",
           "namespace garam::kafka {", "namespace {", ""]
    for message in schema.messages:
        out += default_functions(message)
        for struct in message.ordered_structs():
            out += read_function(message, struct) + write_function(message, struct)
    out += ["}  // namespace", ""]
    for message in schema.messages:
        out += entry_points(message)
    return "\n".join(out + ["}  // namespace garam::kafka", ""])
