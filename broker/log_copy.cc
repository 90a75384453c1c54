#include "broker/log_copy.h"

#include <algorithm>
#include <utility>

#include "broker/replica.h"
#include "broker/shard.h"
#include "common/logging.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr size_t kPieceBytesMax = size_t{1} << 20;

}  // namespace

void LogCopy::Start(NodeId from) {
  if (under_way_ || stopped_) return;
  under_way_ = true;
  from_ = from;
  Ask(std::nullopt, [this](absl::StatusOr<CopyReply> reply) { OnManifest(std::move(reply)); });
}

void LogCopy::Stop(Task quiet) {
  stopped_ = true;
  quiet_ = std::move(quiet);
  if (!busy_) NotBusy();
}

void LogCopy::NotBusy() {
  busy_ = false;
  if (quiet_) std::exchange(quiet_, nullptr)();
}

void LogCopy::Ask(std::optional<CopyRequest::Piece> piece, CopyDone then) {
  // The answer comes on executor 0, perhaps when this is long gone.
  shard_.control().CopyLog(
      from_, {replica_.group(), piece},
      [self = shared_from_this(), &home = shard_.executor(),
       then = std::move(then)](absl::StatusOr<CopyReply> reply) mutable {
        home.Post([self, then = std::move(then), reply = std::move(reply)]() mutable {
          if (!self->stopped_) std::move(then)(std::move(reply));
        });
      });
}

template <class Result>
void LogCopy::InPool(std::function<Result()> work, absl::AnyInvocable<void(Result) &&> then) {
  busy_ = true;
  shard_.pool().Submit([self = shared_from_this(), &home = shard_.executor(),
                        work = std::move(work), then = std::move(then)]() mutable {
    auto result = std::make_shared<Result>(work());
    home.Post([self, then = std::move(then), result]() mutable {
      self->NotBusy();
      if (!self->stopped_) std::move(then)(std::move(*result));
    });
  });
}

void LogCopy::OnManifest(absl::StatusOr<CopyReply> reply) {
  if (!reply.ok()) return End(reply.status());
  absl::StatusOr<storage::Manifest> manifest = storage::DecodeManifest(reply->bytes);
  if (!manifest.ok()) return End(manifest.status());
  if (manifest->next.group != replica_.group()) {
    return End(MakeError(Errc::kInvalidRequest, "the manifest is another group's"));
  }
  if (!replica_.core().NeedsInstall(manifest->last_index(), manifest->next.term_before)) {
    return End(absl::OkStatus());
  }
  snapshot_ = std::move(reply->snapshot);
  LogInfo("group {}: copying entries {} to {} from broker {}", replica_.group().value(),
          replica_.core().last_index().value() + 1, manifest->last_index().value(), from_.value());
  InPool<absl::StatusOr<InstallPtr>>(
      [&files = shard_.log_env().fs, dir = replica_.log().dir(), manifest = *std::move(manifest),
       own = replica_.log().MakeManifest().segments] {
        return storage::SegmentInstall::Begin(files, dir, manifest, own);
      },
      [this](absl::StatusOr<InstallPtr> install) { OnBegun(std::move(install)); });
}

void LogCopy::OnBegun(absl::StatusOr<InstallPtr> install) {
  if (!install.ok()) return End(install.status());
  install_ = *std::move(install);
  Next();
}

void LogCopy::Next() {
  const std::optional<storage::SegmentInstall::Piece> piece = install_->Next();
  if (!piece) return Install();
  const size_t bytes = std::min(piece->bytes, kPieceBytesMax);
  shard_.executor().PostAt(
      shard_.copy_pacer().Reserve(bytes, shard_.now()),
      [self = shared_from_this(), bytes, base_index = piece->base_index,
       position = piece->position] {
        if (self->stopped_) return;
        self->Ask(
            CopyRequest::Piece{base_index, position, static_cast<uint32_t>(bytes)},
            [&copy = *self](absl::StatusOr<CopyReply> reply) { copy.OnPiece(std::move(reply)); });
      });
}

void LogCopy::OnPiece(absl::StatusOr<CopyReply> reply) {
  if (!reply.ok()) return End(reply.status());
  InPool<absl::Status>([this, bytes = std::make_shared<std::string>(
                                  std::move(reply->bytes))] { return install_->Add(*bytes); },
                       [this](absl::Status added) {
                         if (!added.ok()) return End(added);
                         Next();
                       });
}

void LogCopy::Install() {
  busy_ = true;
  replica_.Install(std::move(install_), std::move(snapshot_),
                   [self = shared_from_this()](const absl::Status& status) {
                     self->NotBusy();
                     if (!self->stopped_) self->End(status);
                   });
}

void LogCopy::End(const absl::Status& status) {
  under_way_ = false;
  install_ = nullptr;
  snapshot_.clear();
  if (status.ok()) return;
  LogWarn("group {}: copying from broker {} stopped and is tried again: {}",
          replica_.group().value(), from_.value(), status.ToString());
}

}  // namespace garam
