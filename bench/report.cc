#include "bench/report.h"

#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace garam::bench {

void JsonObject::Add(std::string_view name, std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    escaped.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  AddRaw(name, absl::StrCat("\"", escaped, "\""));
}

void JsonObject::Add(std::string_view name, int64_t value) { AddRaw(name, absl::StrCat(value)); }

void JsonObject::Add(std::string_view name, double value) {
  AddRaw(name, absl::StrFormat("%.6g", value));
}

void JsonObject::AddRaw(std::string_view name, std::string_view json) {
  absl::StrAppend(&fields_, fields_.empty() ? "" : ",", "\"", std::string(name),
                  "\":", std::string(json));
}

std::string JsonArray(const std::vector<std::string>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ","), "]");
}

std::string LatencyJson(const Histogram& latency_us) {
  JsonObject json;
  json.Add("count", latency_us.count());
  json.Add("mean", latency_us.Mean());
  json.Add("min", latency_us.min());
  json.Add("p50", latency_us.Percentile(50));
  json.Add("p90", latency_us.Percentile(90));
  json.Add("p99", latency_us.Percentile(99));
  json.Add("p999", latency_us.Percentile(99.9));
  json.Add("max", latency_us.max());
  return json.Text();
}

std::string LatencyLine(const Histogram& latency_us) {
  return absl::StrCat("p50 ", latency_us.Percentile(50), " p99 ", latency_us.Percentile(99),
                      " p99.9 ", latency_us.Percentile(99.9), " max ", latency_us.max(), " us");
}

Usage UsageNow() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_nvcsw};
}

}  // namespace garam::bench
