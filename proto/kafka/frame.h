// Whole frames: length, header and message as they go over a connection.
//
// A frame that is read begins after its 4 bytes of length; a frame that is written includes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/bytes.h"
#include "common/status.h"
#include "proto/kafka/api_key.h"
#include "proto/kafka/reader.h"
#include "proto/kafka/request_header.h"
#include "proto/kafka/response_header.h"
#include "proto/kafka/writer.h"

namespace garam::kafka {

// The version of the header before a message of that API and version. Defined for versions beyond
// the schema's too, for the answer to an ApiVersions request of the future depends on it.
int16_t RequestHeaderVersion(const ApiInfo& api, int16_t version);
int16_t ResponseHeaderVersion(const ApiInfo& api, int16_t version);

// Reads the header that begins a request's frame; the reader then stands before the message.
// kUnsupportedVersion for an API without a schema; kInvalidRequest for a header that is cut short.
// Versions outside the API's range are not looked at here.
absl::StatusOr<RequestHeader> DecodeRequestHeader(Reader& reader);

// Reads the header that begins the frame of a response to a request of `api` and `version`.
absl::StatusOr<ResponseHeader> DecodeResponseHeader(Reader& reader, ApiKey api, int16_t version);

// `message` alone, in one buffer.
template <class Message>
absl::StatusOr<Bytes> EncodeMessage(const Message& message, int16_t version) {
  Writer writer;
  RETURN_IF_ERROR(message.Encode(writer, version));
  return writer.FinishContiguous();
}

// The frame of a response, as pieces to send in order.
template <class Response>
absl::StatusOr<std::vector<Bytes>> EncodeResponse(const Response& response, int16_t version,
                                                  int32_t correlation_id) {
  Writer writer;
  writer.BeginFrame();
  const ResponseHeader header{.correlation_id = correlation_id};
  RETURN_IF_ERROR(header.Encode(
      writer, ResponseHeaderVersion(*FindApi(static_cast<int16_t>(Response::kApiKey)), version)));
  RETURN_IF_ERROR(response.Encode(writer, version));
  return writer.Finish();
}

// The frame of a request, as pieces to send in order.
template <class Request>
absl::StatusOr<std::vector<Bytes>> EncodeRequest(const Request& request, int16_t version,
                                                 int32_t correlation_id,
                                                 std::optional<std::string_view> client_id) {
  const auto key = static_cast<int16_t>(Request::kApiKey);
  Writer writer;
  writer.BeginFrame();
  const RequestHeader header{.request_api_key = key,
                             .request_api_version = version,
                             .correlation_id = correlation_id,
                             .client_id = client_id};
  RETURN_IF_ERROR(header.Encode(writer, RequestHeaderVersion(*FindApi(key), version)));
  RETURN_IF_ERROR(request.Encode(writer, version));
  return writer.Finish();
}

}  // namespace garam::kafka
