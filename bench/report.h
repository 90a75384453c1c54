// What a measurement says at its end: one line for a person, one JSON object for a script.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/histogram.h"

namespace garam::bench {

// Builds one JSON object, fields in the order they are added.
class JsonObject {
 public:
  void Add(std::string_view name, std::string_view text);
  void Add(std::string_view name, int64_t value);
  void Add(std::string_view name, double value);
  // `json` is a value already encoded.
  void AddRaw(std::string_view name, std::string_view json);

  std::string Text() const { return "{" + fields_ + "}"; }

 private:
  std::string fields_;
};

std::string JsonArray(const std::vector<std::string>& values);

// {"count":…,"mean":…,"p50":…,"p90":…,"p99":…,"p999":…,"max":…}
std::string LatencyJson(const Histogram& latency_us);
// "p50 … p99 … p99.9 … max … us".
std::string LatencyLine(const Histogram& latency_us);

// CPU time and context switches of this process so far.
struct Usage {
  double cpu_seconds = 0;
  int64_t voluntary_switches = 0;
};
Usage UsageNow();

}  // namespace garam::bench
