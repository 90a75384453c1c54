// garam-bench: loads and probes a cluster over the Kafka protocol. See README.md beside this file.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/batch_encoder.h"
#include "bench/cluster.h"
#include "bench/failover_probe.h"
#include "bench/fetch_load.h"
#include "bench/produce_load.h"
#include "bench/report.h"
#include "common/status.h"

namespace garam::bench {
namespace {

// What the command line says, over all subcommands.
struct Arguments {
  std::string bootstrap = "127.0.0.1:9092";
  std::string topic = "bench";
  bool json = false;
  std::string acks = "all";
  size_t record_bytes = 1024;
  size_t batch_bytes = 0;  // 0: one record a batch.
  size_t in_flight = 5;
  int producers = 1;
  size_t partitions_per_request = 1;
  double rate = 0;
  double warmup_s = 2;
  double measure_s = 10;
  CreateTopicSpec create;
  std::vector<std::string> configs;
  bool consume = false;
  FetchLimits fetch;
  bool again_from_start = false;
  int64_t interval_us = 1000;
  bool ignore_hints = false;
};

void Print(const Arguments& arguments, const std::string& line, const JsonObject& json) {
  std::printf("%s\n", (arguments.json ? json.Text() : line).c_str());
}

absl::StatusOr<int16_t> AcksOf(const std::string& text) {
  if (text == "all" || text == "-1") return int16_t{-1};
  if (text == "1") return int16_t{1};
  if (text == "0") return int16_t{0};
  return MakeError(Errc::kInvalidAcks, absl::StrCat("acks is 0, 1 or all, not ", text));
}

absl::Status RunProduce(const Arguments& arguments) {
  ProduceOptions options;
  ASSIGN_OR_RETURN(options.bootstrap, ParseBootstrap(arguments.bootstrap));
  ASSIGN_OR_RETURN(options.acks, AcksOf(arguments.acks));
  options.topic = arguments.topic;
  options.record_bytes = arguments.record_bytes;
  options.records_per_batch = RecordsPerBatch(arguments.record_bytes, arguments.batch_bytes);
  options.in_flight = arguments.in_flight;
  options.producers = arguments.producers;
  options.consume = arguments.consume;
  options.partitions_per_request = arguments.partitions_per_request;
  options.requests_per_s = arguments.rate;
  options.warmup_s = arguments.warmup_s;
  options.measure_s = arguments.measure_s;
  ASSIGN_OR_RETURN(const ProduceResult result, ProduceLoad(options).Run());
  const double megabytes_per_s = static_cast<double>(result.record_bytes) / 1e6 / result.seconds;
  const double requests_per_s = static_cast<double>(result.requests) / result.seconds;
  const double records_per_s = static_cast<double>(result.records) / result.seconds;
  JsonObject json;
  json.Add("acks", arguments.acks);
  json.Add("record_bytes", static_cast<int64_t>(options.record_bytes));
  json.Add("records_per_batch", static_cast<int64_t>(options.records_per_batch));
  json.Add("seconds", result.seconds);
  json.Add("megabytes", static_cast<double>(result.record_bytes) / 1e6);
  json.Add("megabytes_per_s", megabytes_per_s);
  json.Add("requests_per_s", requests_per_s);
  json.Add("records_per_s", records_per_s);
  json.Add("errors", result.errors);
  json.Add("first_error", int64_t{result.first_error});
  json.Add("client_cpu_s", result.client_cpu_seconds);
  json.AddRaw("latency_us", LatencyJson(result.latency_us));
  if (options.consume) json.AddRaw("end_to_end_us", LatencyJson(result.end_to_end_us));
  std::vector<std::string> seconds;
  for (const double megabytes : result.megabytes_by_second) {
    seconds.push_back(absl::StrFormat("%.1f", megabytes));
  }
  json.AddRaw("megabytes_by_second", JsonArray(seconds));
  Print(arguments,
        absl::StrFormat(
            "%.1f MB/s  %.0f requests/s  %.0f records/s  %s  errors %d  client %.2f CPU-s",
            megabytes_per_s, requests_per_s, records_per_s, LatencyLine(result.latency_us),
            result.errors, result.client_cpu_seconds),
        json);
  return absl::OkStatus();
}

absl::Status RunFetch(const Arguments& arguments) {
  FetchOptions options;
  ASSIGN_OR_RETURN(options.bootstrap, ParseBootstrap(arguments.bootstrap));
  options.topic = arguments.topic;
  options.limits = arguments.fetch;
  options.measure_s = arguments.measure_s;
  options.again_from_start = arguments.again_from_start;
  ASSIGN_OR_RETURN(const FetchResult result, FetchLoad(options).Run());
  const double megabytes = static_cast<double>(result.batch_bytes) / 1e6;
  JsonObject json;
  json.Add("seconds", result.seconds);
  json.Add("megabytes", megabytes);
  json.Add("megabytes_per_s", megabytes / result.seconds);
  json.Add("records", result.records);
  json.Add("requests", result.requests);
  json.Add("client_cpu_s", result.client_cpu_seconds);
  Print(arguments,
        absl::StrFormat("%.1f MB/s  %d records in %.2f s  %d requests  client %.2f CPU-s",
                        megabytes / result.seconds, result.records, result.seconds, result.requests,
                        result.client_cpu_seconds),
        json);
  return absl::OkStatus();
}

absl::Status RunProbe(const Arguments& arguments) {
  ProbeOptions options;
  ASSIGN_OR_RETURN(options.bootstrap, ParseBootstrap(arguments.bootstrap));
  options.topic = arguments.topic;
  options.record_bytes = arguments.record_bytes;
  options.interval_us = arguments.interval_us;
  options.seconds = arguments.measure_s;
  options.follow_hints = !arguments.ignore_hints;
  return FailoverProbe(options).Run();
}

absl::Status RunCreate(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<Endpoint> bootstrap, ParseBootstrap(arguments.bootstrap));
  CreateTopicSpec spec = arguments.create;
  spec.name = arguments.topic;
  for (const std::string& config : arguments.configs) {
    const size_t equals = config.find('=');
    if (equals == std::string::npos) {
      return MakeError(Errc::kInvalidConfig, absl::StrCat("not key=value: ", config));
    }
    spec.configs.emplace_back(config.substr(0, equals), config.substr(equals + 1));
  }
  return CreateTopic(bootstrap, spec, static_cast<int64_t>(arguments.measure_s * 1000));
}

absl::Status RunDelete(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<Endpoint> bootstrap, ParseBootstrap(arguments.bootstrap));
  return DeleteTopic(bootstrap, arguments.topic, static_cast<int64_t>(arguments.measure_s * 1000));
}

absl::Status RunReady(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<Endpoint> bootstrap, ParseBootstrap(arguments.bootstrap));
  return WaitReady(bootstrap, bootstrap.size(), static_cast<int64_t>(arguments.measure_s * 1000));
}

std::string NodesJson(const std::vector<int32_t>& nodes) {
  std::vector<std::string> texts;
  for (const int32_t node : nodes) texts.push_back(absl::StrCat(node));
  return JsonArray(texts);
}

std::string TopicJson(const TopicState& topic) {
  std::vector<std::string> partitions;
  for (const PartitionState& partition : topic.partitions) {
    JsonObject json;
    json.Add("partition", int64_t{partition.index});
    json.Add("leader", int64_t{partition.leader});
    json.Add("epoch", int64_t{partition.leader_epoch});
    json.AddRaw("replicas", NodesJson(partition.replicas));
    json.AddRaw("isr", NodesJson(partition.isr));
    partitions.push_back(json.Text());
  }
  JsonObject json;
  json.Add("topic", topic.name);
  json.Add("error", int64_t{topic.error});
  json.AddRaw("partitions", JsonArray(partitions));
  return json.Text();
}

absl::Status RunDescribe(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<Endpoint> bootstrap, ParseBootstrap(arguments.bootstrap));
  ASSIGN_OR_RETURN(const ClusterState state, Describe(bootstrap, arguments.topic));
  std::vector<int32_t> nodes;
  for (const auto& [node, endpoint] : state.brokers) nodes.push_back(node);
  std::vector<std::string> topics;
  for (const TopicState& topic : state.topics) topics.push_back(TopicJson(topic));
  JsonObject json;
  json.AddRaw("brokers", NodesJson(nodes));
  json.Add("controller", int64_t{state.controller});
  json.AddRaw("topics", JsonArray(topics));
  std::printf("%s\n", json.Text().c_str());
  return absl::OkStatus();
}

void AddLoadOptions(CLI::App* command, Arguments& arguments) {
  command->add_option("--acks", arguments.acks, "0, 1 or all");
  command->add_option("--record-bytes", arguments.record_bytes, "bytes of a record's value");
  command->add_option("--rate", arguments.rate, "requests a second, open loop; 0: closed loop");
  command->add_option("--warmup", arguments.warmup_s, "seconds not counted");
  command->add_option("--seconds", arguments.measure_s, "seconds counted");
  command->add_option("--in-flight", arguments.in_flight, "requests in flight a connection");
}

void AddLoadCommands(CLI::App& app, Arguments& arguments, absl::Status& status) {
  CLI::App* rtt = app.add_subcommand("rtt", "S1: one record a request, one in flight by default");
  AddLoadOptions(rtt, arguments);
  rtt->preparse_callback([&arguments](size_t) {
    arguments.in_flight = 1;
    arguments.record_bytes = 100;
  });
  rtt->add_flag("--consume", arguments.consume, "time the way to a consumer too");
  rtt->callback([&] { status = RunProduce(arguments); });

  CLI::App* produce = app.add_subcommand("produce", "S2: batches to all partitions");
  AddLoadOptions(produce, arguments);
  produce->preparse_callback([&arguments](size_t) { arguments.batch_bytes = 128 << 10; });
  produce->add_option("--batch-bytes", arguments.batch_bytes, "bytes of a batch; 0: one record");
  produce->add_option("--producers", arguments.producers, "each with its own connections");
  produce->add_option("--partitions-per-request", arguments.partitions_per_request,
                      "batches to as many partitions go in one request");
  produce->callback([&] { status = RunProduce(arguments); });

  CLI::App* fetch = app.add_subcommand("fetch", "reads the topic and throws it away");
  fetch->add_option("--seconds", arguments.measure_s, "at most");
  fetch->add_option("--max-bytes", arguments.fetch.bytes_max, "of one answer");
  fetch->add_option("--partition-max-bytes", arguments.fetch.partition_bytes_max,
                    "of one partition in an answer");
  fetch->add_flag("--again", arguments.again_from_start, "start over at the end");
  fetch->callback([&] { status = RunFetch(arguments); });

  CLI::App* probe = app.add_subcommand("probe", "longest gap between acks of each partition");
  probe->preparse_callback([&arguments](size_t) {
    arguments.record_bytes = 100;
    arguments.measure_s = 3600;
  });
  probe->add_option("--seconds", arguments.measure_s, "at most; ends with standard input");
  probe->add_option("--interval-us", arguments.interval_us, "between probes of a partition");
  probe->add_option("--record-bytes", arguments.record_bytes, "bytes of a record's value");
  probe->add_flag("--ignore-hints", arguments.ignore_hints, "go by Metadata alone");
  probe->callback([&] { status = RunProbe(arguments); });
}

void AddClusterCommands(CLI::App& app, Arguments& arguments, absl::Status& status) {
  CLI::App* create = app.add_subcommand("create", "makes a topic and waits until it is ready");
  create->preparse_callback([&arguments](size_t) { arguments.measure_s = 60; });
  create->add_option("--partitions", arguments.create.partitions);
  create->add_option("--replication-factor", arguments.create.replication_factor);
  create->add_option("--config", arguments.configs, "key=value");
  create->add_option("--seconds", arguments.measure_s, "to wait at most");
  create->callback([&] { status = RunCreate(arguments); });

  CLI::App* remove = app.add_subcommand("delete", "deletes the topic");
  remove->add_option("--seconds", arguments.measure_s, "to wait at most");
  remove->callback([&] { status = RunDelete(arguments); });

  CLI::App* ready = app.add_subcommand(
      "ready", "waits until each bootstrap broker lists as many brokers as are named");
  ready->preparse_callback([&arguments](size_t) { arguments.measure_s = 60; });
  ready->add_option("--seconds", arguments.measure_s, "to wait at most");
  ready->callback([&] { status = RunReady(arguments); });

  CLI::App* describe = app.add_subcommand("describe", "leaders, epochs and ISR as JSON");
  describe->preparse_callback([&arguments](size_t) { arguments.topic.clear(); });
  describe->callback([&] { status = RunDescribe(arguments); });
}

}  // namespace
}  // namespace garam::bench

int main(int argc, char** argv) {
  garam::bench::Arguments arguments;
  absl::Status status;
  CLI::App app("Load generator and probe for brokers that speak the Kafka protocol");
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--bootstrap", arguments.bootstrap, "host:port,…");
  app.add_option("--topic", arguments.topic);
  app.add_flag("--json", arguments.json, "one JSON object instead of a line");
  garam::bench::AddLoadCommands(app, arguments, status);
  garam::bench::AddClusterCommands(app, arguments, status);
  CLI11_PARSE(app, argc, argv);
  if (status.ok()) return 0;
  std::fprintf(stderr, "garam-bench: %s\n", std::string(status.message()).c_str());
  return 1;
}
