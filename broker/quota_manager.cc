#include "broker/quota_manager.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "coordinator/client_quotas.h"

namespace garam {
namespace {

constexpr uint64_t kSharedScope = 0;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::optional<QuotaKind> KindOf(std::string_view key) {
  if (key == kProducerByteRate) return QuotaKind::kProduce;
  if (key == kConsumerByteRate) return QuotaKind::kFetch;
  if (key == kRequestPercentage) return QuotaKind::kRequest;
  if (key == kControllerMutationRate) return QuotaKind::kMutation;
  return std::nullopt;
}

// How an entity says of whom it is, in one of its types.
enum class Part { kAbsent, kDefault, kNamed };

// Names may hold any character: lengths keep them apart.
std::string KeyOf(Part user, std::string_view user_name, Part client, std::string_view client_id) {
  std::string key;
  for (const auto& [part, name] : {std::pair(user, user_name), std::pair(client, client_id)}) {
    if (part == Part::kAbsent) absl::StrAppend(&key, "-");
    if (part == Part::kDefault) absl::StrAppend(&key, "*");
    if (part == Part::kNamed) absl::StrAppend(&key, name.size(), ":", View(name));
  }
  return key;
}

std::pair<Part, std::string_view> PartOf(const QuotaEntity& entity, std::string_view type) {
  const auto found = entity.find(std::string(type));
  if (found == entity.end()) return {Part::kAbsent, {}};
  if (!found->second.has_value()) return {Part::kDefault, {}};
  return {Part::kNamed, *found->second};
}

// The closest first, as Kafka's default quota callback looks.
constexpr std::pair<Part, Part> kOrder[] = {
    {Part::kNamed, Part::kNamed},     {Part::kNamed, Part::kDefault},
    {Part::kNamed, Part::kAbsent},    {Part::kDefault, Part::kNamed},
    {Part::kDefault, Part::kDefault}, {Part::kDefault, Part::kAbsent},
    {Part::kAbsent, Part::kNamed},    {Part::kAbsent, Part::kDefault},
};

}  // namespace

void QuotaManager::SetQuotas(const QuotaTable& quotas) {
  std::lock_guard lock(mutex_);
  for (auto& limits : limits_) limits.clear();
  address_limits_.clear();
  any_address_limit_.reset();
  uint32_t kinds = 0;
  for (const auto& [entity, values] : quotas) {
    SetAddressQuota(entity, values);
    const auto [user, user_name] = PartOf(entity, kQuotaUser);
    const auto [client, client_id] = PartOf(entity, kQuotaClientId);
    if (user == Part::kAbsent && client == Part::kAbsent) continue;
    const std::string key = KeyOf(user, user_name, client, client_id);
    for (const auto& [name, value] : values) {
      const std::optional<QuotaKind> kind = KindOf(name);
      if (!kind.has_value()) continue;
      limits_[static_cast<size_t>(*kind)][key] = value;
      kinds |= Bit(*kind);
    }
  }
  kinds_.store(kinds, std::memory_order_relaxed);
}

void QuotaManager::SetAddressQuota(const QuotaEntity& entity, const QuotaValues& values) {
  const auto [part, address] = PartOf(entity, kQuotaIp);
  const auto rate = values.find(std::string(kConnectionCreationRate));
  if (part == Part::kAbsent || rate == values.end()) return;
  if (part == Part::kDefault) any_address_limit_ = rate->second;
  if (part == Part::kNamed) address_limits_[std::string(address)] = rate->second;
}

std::optional<QuotaManager::Limit> QuotaManager::Find(QuotaKind kind,
                                                      const QuotaClient& client) const {
  const auto& limits = limits_[static_cast<size_t>(kind)];
  for (const auto& [user, client_id] : kOrder) {
    const auto found = limits.find(KeyOf(user, client.user, client_id, client.client_id));
    if (found == limits.end()) continue;
    const bool of_user = user != Part::kAbsent;
    const bool of_client = client_id != Part::kAbsent;
    const uint64_t scope =
        absl::HashOf(kind, of_user ? View(client.user) : absl::string_view(),
                     of_client ? View(client.client_id) : absl::string_view(), of_user, of_client);
    return Limit{found->second, scope == kSharedScope ? scope + 1 : scope};
  }
  return std::nullopt;
}

RateWindow& QuotaManager::WindowOf(uint64_t scope, MonoTime now) {
  const auto found = windows_.find(scope);
  if (found != windows_.end()) return found->second;
  if (windows_.size() >= forget_at_ && now >= forget_after_) ForgetIdle(now);
  return windows_[windows_.size() < kClientsMax ? scope : kSharedScope];
}

void QuotaManager::ForgetIdle(MonoTime now) {
  absl::erase_if(windows_, [&](const auto& entry) { return entry.second.IsOver(shape_, now); });
  forget_at_ = std::min(std::max<size_t>(1024, 2 * windows_.size()), kClientsMax);
  forget_after_ = now + shape_.sample;
}

Duration QuotaManager::Record(QuotaKind kind, const QuotaClient& client, double amount,
                              MonoTime now) {
  if (!active(kind)) return Duration::zero();
  std::lock_guard lock(mutex_);
  const std::optional<Limit> limit = Find(kind, client);
  if (!limit.has_value()) return Duration::zero();
  RateWindow& window = WindowOf(limit->scope, now);
  window.Add(shape_, amount, now);
  const Duration wait = WaitFor(window, limit->per_second, now);
  return kind == QuotaKind::kRequest ? std::min(wait, shape_.sample) : wait;
}

// For the window's rate to come down to that.
Duration QuotaManager::WaitFor(RateWindow& window, double per_second, MonoTime now) const {
  const double over = window.PerSecond(shape_, now) - per_second;
  if (over <= 0) return Duration::zero();
  const double span_ms =
      std::chrono::duration<double, std::milli>(RateWindow::Span(shape_, now)).count();
  const double wait_ms = std::round(over / per_second * span_ms);
  // Answers carry it as an int32.
  constexpr double kWaitMsMax = std::numeric_limits<int32_t>::max();
  return Millis(static_cast<int64_t>(std::min(wait_ms, kWaitMsMax)));
}

void QuotaManager::TakeBack(QuotaKind kind, const QuotaClient& client, double amount,
                            MonoTime now) {
  std::lock_guard lock(mutex_);
  const std::optional<Limit> limit = Find(kind, client);
  if (limit.has_value()) WindowOf(limit->scope, now).Add(shape_, -amount, now);
}

double QuotaManager::MostAtOnce(QuotaKind kind, const QuotaClient& client) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  if (!active(kind)) return kNoLimit;
  std::lock_guard lock(mutex_);
  const std::optional<Limit> limit = Find(kind, client);
  if (!limit.has_value()) return kNoLimit;
  const Duration full = shape_.sample * std::max(shape_.samples - 1, 1);
  return limit->per_second * std::chrono::duration<double>(full).count();
}

TokenBucket& QuotaManager::BucketOf(uint64_t scope, MonoTime now) {
  const auto found = buckets_.find(scope);
  if (found != buckets_.end()) return found->second;
  if (buckets_.size() >= kClientsMax) {
    absl::erase_if(buckets_, [now](const auto& entry) { return entry.second.IsFull(now); });
  }
  return buckets_[buckets_.size() < kClientsMax ? scope : kSharedScope];
}

Duration QuotaManager::Mutate(const QuotaClient& client, double partitions, bool strict,
                              MonoTime now) {
  if (!active(QuotaKind::kMutation)) return Duration::zero();
  std::lock_guard lock(mutex_);
  const std::optional<Limit> limit = Find(QuotaKind::kMutation, client);
  if (!limit.has_value()) return Duration::zero();
  const double window_seconds = std::chrono::duration<double>(shape_.whole()).count();
  const TokenBucket::Shape shape{limit->per_second, limit->per_second * window_seconds};
  TokenBucket& bucket = BucketOf(limit->scope, now);
  const Duration owed = bucket.Owed(shape, now);
  if (strict && owed > Duration::zero()) return owed;
  bucket.Take(shape, partitions, now);
  return strict ? Duration::zero() : bucket.Owed(shape, now);
}

Duration QuotaManager::Connect(const std::string& address, MonoTime now) {
  std::lock_guard lock(mutex_);
  const auto named = address_limits_.find(address);
  if (named == address_limits_.end() && !any_address_limit_) return Duration::zero();
  const double per_second = named == address_limits_.end() ? *any_address_limit_ : named->second;
  RateWindow& window = WindowOf(absl::HashOf(kQuotaIp, address) | 1, now);
  window.Add(shape_, 1, now);
  const Duration wait = WaitFor(window, per_second, now);
  if (wait > Duration::zero()) window.Add(shape_, -1, now);
  return std::min(wait, shape_.sample);
}

size_t QuotaManager::clients() const {
  std::lock_guard lock(mutex_);
  return windows_.size();
}

}  // namespace garam
