// A configuration as a test writes it down.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/broker_config.h"
#include "common/status.h"

namespace garam {

class ConfigFixture : public ::testing::Test {
 protected:
  ConfigFixture() {
    sources_.file_name = "server.properties";
    sources_.machine = {.cores = 2, .memory_bytes = int64_t{4} << 30, .host_name = "machine"};
  }

  absl::StatusOr<LoadedConfig> Load() const { return LoadBrokerConfig(sources_); }

  // The configuration of this file; the test fails when there is none.
  BrokerConfig Config(const std::string& file) {
    sources_.file_text = file;
    absl::StatusOr<LoadedConfig> loaded = Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? loaded->config : BrokerConfig{};
  }

  // Why this file is refused.
  std::string Refusal(const std::string& file) {
    sources_.file_text = file;
    const absl::Status status = Load().status();
    EXPECT_TRUE(!status.ok() && ErrcOf(status) == Errc::kInvalidConfig) << status;
    return std::string(status.message());
  }

  ConfigSources sources_;
};

}  // namespace garam
