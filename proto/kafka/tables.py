"""Emits the table of APIs and the error codes."""
from cpp import BANNER


def camel(name):
    return "".join(part.capitalize() for part in name.lower().split("_"))


def api_row(schema):
    request, response = schema.message("request"), schema.message("response")
    if (request.versions, request.flexible) != (response.versions, response.flexible):
        raise SystemExit(f"{schema.stem}: request and response differ in their versions")
    flexible = "INT16_MAX" if request.flexible.empty() else request.flexible.low
    shown = request.versions if schema.advertised.empty() else schema.advertised
    return (f'    {{ApiKey::k{schema.api}, "{schema.api}", {request.versions.low}, '
            f"{request.versions.high}, {flexible}, {shown.low}, {shown.high}}},")


API_HEADER = """#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace garam::kafka {

// Every API that has a schema.
enum class ApiKey : int16_t {
%(keys)s
};

struct ApiInfo {
  ApiKey key;
  std::string_view name;
  int16_t min_version;             // What the codec knows.
  int16_t max_version;
  int16_t first_flexible_version;  // INT16_MAX: none.
  int16_t advertised_min_version;  // What a broker of Kafka shows in ApiVersions.
  int16_t advertised_max_version;
};

// In the order of their keys.
inline constexpr std::array<ApiInfo, %(count)d> kApis = {{
%(rows)s
}};

// Null for a key without a schema.
const ApiInfo* FindApi(int16_t key);

}  // namespace garam::kafka
"""

API_SOURCE = """#include "proto/kafka/api_key.h"

namespace garam::kafka {

const ApiInfo* FindApi(int16_t key) {
  switch (key) {
%(cases)s
    default:
      return nullptr;
  }
}

}  // namespace garam::kafka
"""


def api_files(schemas):
    banner = BANNER.format(source="schemas/")
    schemas = sorted((s for s in schemas if s.api), key=lambda s: s.key)
    header = API_HEADER % {
        "keys": "\n".join(f"  k{s.api} = {s.key}," for s in schemas),
        "count": len(schemas),
        "rows": "\n".join(api_row(s) for s in schemas),
    }
    cases = "\n".join(f"    case {schema.key}:\n      return &kApis[{i}];"
                      for i, schema in enumerate(schemas))
    return banner + header, banner + "\n" + API_SOURCE % {"cases": cases}


ERROR_HEADER = """#pragma once

#include <cstdint>
#include <ostream>
#include <string_view>

namespace garam::kafka {

// The protocol's error codes. A peer may send one that is not listed here.
enum class ErrorCode : int16_t {
%(codes)s
};

// As Kafka writes it, for example UNKNOWN_TOPIC_OR_PARTITION; UNKNOWN for a code not listed.
std::string_view ErrorCodeName(ErrorCode code);
// Whether a client may simply try again.
bool IsRetriable(ErrorCode code);

inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << ErrorCodeName(code);
}

}  // namespace garam::kafka
"""

ERROR_SOURCE = """#include "proto/kafka/error_code.h"

namespace garam::kafka {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
%(names)s
  }
  return "UNKNOWN";
}

bool IsRetriable(ErrorCode code) {
  switch (code) {
%(retriable)s
      return true;
    default:
      return false;
  }
}

}  // namespace garam::kafka
"""


def error_files(path):
    rows = [line.split() for line in path.read_text().splitlines() if line and line[0] != "#"]
    banner = BANNER.format(source=path.name)
    header = ERROR_HEADER % {
        "codes": "\n".join(f"  k{camel(row[1])} = {row[0]}," for row in rows)}
    source = ERROR_SOURCE % {
        "names": "\n".join(f"    case ErrorCode::k{camel(row[1])}:\n      return \"{row[1]}\";"
                           for row in rows),
        "retriable": "\n".join(f"    case ErrorCode::k{camel(row[1])}:"
                               for row in rows if row[2:] == ["retriable"])}
    return banner + header, banner + "\n" + source
