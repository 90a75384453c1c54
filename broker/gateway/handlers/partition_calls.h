// Calls to partitions on whatever shard they live, with the answer back on the request's shard.
#pragma once

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/gateway/shard_services.h"
#include "broker/partition.h"

namespace garam {

// Runs `call(partition, done)` on the partition's shard; `done` runs on `services`' shard. Without
// a hop when the two are the same.
template <class Result, class Call, class Done>
void CallPartition(ShardServices& services, std::shared_ptr<Partition> partition, Call call,
                   Done done) {
  using Completion = absl::AnyInvocable<void(Result) &&>;
  if (partition->shard() == services.shard) {
    call(*partition, Completion(std::move(done)));
    return;
  }
  Executor& home = services.executor();
  Executor& there = services.broker.executor(partition->shard());
  there.Post([&home, partition = std::move(partition), call = std::move(call),
              done = std::move(done)]() mutable {
    call(*partition, Completion([&home, done = std::move(done)](Result result) mutable {
      home.Post([done = std::move(done), result = std::move(result)]() mutable {
        done(std::move(result));
      });
    }));
  });
}

}  // namespace garam
