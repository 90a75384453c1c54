// garamd: the broker.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "broker/app/broker_process.h"
#include "broker/app/process_events.h"
#include "broker/broker_config.h"
#include "common/logging.h"
#include "common/status.h"

extern char** environ;

namespace garam {
namespace {

struct CommandLine {
  std::string file;
  std::vector<std::string> sets;
};

MachineFacts AskMachine() {
  MachineFacts facts;
  facts.cores = std::max(1u, std::thread::hardware_concurrency());
  facts.memory_bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0') facts.host_name = name;
  return facts;
}

std::vector<std::pair<std::string, std::string>> Environment() {
  std::vector<std::pair<std::string, std::string>> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string text = *entry;
    size_t equals = text.find('=');
    if (equals == std::string::npos) continue;
    all.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

absl::StatusOr<LoadedConfig> Load(const CommandLine& command_line) {
  ConfigSources sources;
  sources.file_name = command_line.file;
  if (!command_line.file.empty()) {
    std::ifstream file(command_line.file);
    if (!file) {
      return MakeError(Errc::kInvalidConfig,
                       "cannot read the configuration file " + command_line.file);
    }
    std::ostringstream text;
    text << file.rdbuf();
    sources.file_text = text.str();
  }
  sources.environment = Environment();
  sources.sets = command_line.sets;
  sources.machine = AskMachine();
  return LoadBrokerConfig(sources);
}

// As many descriptors as the system lets us have: one a connection, a few a partition.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(const absl::Status& status) {
  LogError("garamd cannot go on: {}", std::string(status.message()));
  return EXIT_FAILURE;
}

int Run(const CommandLine& command_line) {
  absl::StatusOr<LoadedConfig> loaded = Load(command_line);
  if (!loaded.ok()) return Fail(loaded.status());
  SetLogLevel(loaded->config.log_level);
  for (const std::string& note : loaded->notes) LogInfo("{}", note);
  RaiseFileLimit();
  // A few event loops share the work: an arena for each pool thread would only hold memory.
  mallopt(M_ARENA_MAX, 2);
  // Request frames come and go by the hundred kilobytes: given back to the system each time, their
  // pages would be cleared and mapped anew for every request.
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);

  ProcessEvents events;
  BrokerProcess process(loaded->config, events);
  absl::Status status = process.Start();
  while (status.ok()) {
    switch (events.Wait()) {
      case ProcessEvents::Event::kReady:
        status = process.Serve();
        break;
      case ProcessEvents::Event::kFatal:
        status = events.reason();
        break;
      case ProcessEvents::Event::kStop:
        LogInfo("stopping");
        process.Stop();
        LogInfo("stopped");
        return EXIT_SUCCESS;
    }
  }
  Fail(status);
  // Nothing that is in memory may be promised or stored any more: no orderly stop.
  std::_Exit(EXIT_FAILURE);
}

}  // namespace
}  // namespace garam

int main(int argc, char** argv) {
  CLI::App app{"garamd: a message broker that speaks Kafka's protocol"};
  garam::CommandLine command_line;
  app.add_option("--config", command_line.file, "server.properties");
  app.add_option("--set", command_line.sets, "key=value, over file and environment; repeatable");
  app.footer(garam::BrokerConfigHelp);
  CLI11_PARSE(app, argc, argv);
  return garam::Run(command_line);
}
