#include "proto/kafka/frame.h"

#include "absl/strings/str_cat.h"

namespace garam::kafka {

int16_t RequestHeaderVersion(const ApiInfo& api, int16_t version) {
  return version >= api.first_flexible_version ? 2 : 1;
}

int16_t ResponseHeaderVersion(const ApiInfo& api, int16_t version) {
  // A client that asks for ApiVersions does not know yet which versions the broker speaks.
  if (api.key == ApiKey::kApiVersions) return 0;
  return version >= api.first_flexible_version ? 1 : 0;
}

absl::StatusOr<RequestHeader> DecodeRequestHeader(Reader& reader) {
  Reader ahead(reader.frame(), reader.position());
  const auto key = ahead.Int<int16_t>("request_api_key");
  const auto version = ahead.Int<int16_t>("request_api_version");
  if (!ahead.ok()) return ahead.status("RequestHeader", 0);
  const ApiInfo* api = FindApi(key);
  if (api == nullptr)
    return MakeError(Errc::kUnsupportedVersion, absl::StrCat("there is no API with key ", key));
  return RequestHeader::Decode(reader, RequestHeaderVersion(*api, version));
}

absl::StatusOr<ResponseHeader> DecodeResponseHeader(Reader& reader, ApiKey api, int16_t version) {
  return ResponseHeader::Decode(
      reader, ResponseHeaderVersion(*FindApi(static_cast<int16_t>(api)), version));
}

}  // namespace garam::kafka
