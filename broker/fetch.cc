#include "broker/fetch.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "common/status.h"

namespace garam {

// The part of a fetch that lives on one shard. All but the constructor runs there.
class Fetch::SubWait : public std::enable_shared_from_this<SubWait> {
 public:
  struct Item {
    size_t index;  // In the plan.
    std::shared_ptr<Partition> partition;
    ReadSpec spec;
    Partition::WatchId watch = 0;
    bool watched = false;
  };

  SubWait(std::weak_ptr<Fetch> fetch, size_t number, size_t shard, size_t home,
          const ExecutorOf& executors)
      : fetch_(std::move(fetch)),
        number_(number),
        shard_(shard),
        home_(home),
        here_(executors(shard)),
        home_executor_(executors(home)) {}

  void Add(size_t index, const FetchItem& item) {
    items_.push_back(Item{.index = index, .partition = *item.partition, .spec = item.spec});
  }
  const std::vector<Item>& items() const { return items_; }
  size_t shard() const { return shard_; }
  bool local() const { return shard_ == home_; }

  // Runs `task` on this shard: at once when the caller, on the home shard, is there already.
  void Run(Task task) {
    if (local())
      std::move(task)();
    else
      here_.Post(std::move(task));
  }

  // Counts, watches unless there is `enough` already, reports.
  void Begin(size_t enough) {
    report_.bytes.assign(items_.size(), 0);
    size_t total = 0;
    for (size_t i = 0; i < items_.size(); ++i) total += Count(i);
    const bool wait = total < enough && !report_.urgent;
    for (size_t i = 0; wait && i < items_.size(); ++i) {
      items_[i].watch = items_[i].partition->Watch(
          [self = weak_from_this(), i](size_t bytes) { Woken(self, i, bytes); });
      items_[i].watched = true;
    }
    SendReport();
  }

  // The home shard has seen the last report: the next may leave.
  void Rearm() {
    report_in_flight_ = false;
    if (news_) SendReport();
  }

  void End() {
    ended_ = true;
    for (Item& item : items_) {
      if (std::exchange(item.watched, false)) item.partition->Unwatch(item.watch);
    }
  }

  void Read(const std::shared_ptr<Fetch>& fetch, std::vector<ReadSpec> specs) {
    End();
    for (size_t i = 0; i < items_.size(); ++i) {
      auto done = [fetch, self = shared_from_this(),
                   index = items_[i].index](absl::StatusOr<ReadResult> result) mutable {
        if (self->local()) return fetch->OnRead(index, std::move(result));
        self->home_executor_.Post(
            [fetch = std::move(fetch), index, result = std::move(result)]() mutable {
              fetch->OnRead(index, std::move(result));
            });
      };
      items_[i].partition->Read(std::move(specs[i]), std::move(done));
    }
  }

 private:
  size_t Count(size_t i) {
    const Item& item = items_[i];
    absl::StatusOr<size_t> bytes = item.partition->BytesAvailable(item.spec);
    if (!bytes.ok()) {
      report_.urgent = true;
      return 0;
    }
    report_.bytes[i] = *bytes;
    // Who asks for a check of its last epoch wants to hear at once that it diverged.
    if (item.spec.last_fetched_epoch.has_value()) CheckDivergence(i);
    return std::min(*bytes, item.spec.bytes_max);
  }

  void CheckDivergence(size_t i) {
    ReadSpec spec = items_[i].spec;
    spec.bytes_max = 0;
    spec.first_batch_whole = false;
    items_[i].partition->Read(std::move(spec),
                              [self = shared_from_this()](absl::StatusOr<ReadResult> result) {
                                if (result.ok() && !result->diverging.has_value()) return;
                                self->report_.urgent = true;
                                self->News();
                              });
  }

  // Called by the partition amid its own work: take note, act in the next task.
  static void Woken(const std::weak_ptr<SubWait>& weak, size_t i, size_t bytes) {
    const std::shared_ptr<SubWait> self = weak.lock();
    if (self == nullptr || self->ended_) return;
    self->report_.bytes[i] += bytes;
    if (bytes == 0) self->report_.urgent = true;
    self->News();
  }

  void News() {
    news_ = true;
    if (report_in_flight_ || scheduled_ || ended_) return;
    scheduled_ = true;
    here_.Post([self = shared_from_this()] {
      self->scheduled_ = false;
      if (!self->ended_ && !self->report_in_flight_) self->SendReport();
    });
  }

  void SendReport() {
    news_ = false;
    report_in_flight_ = true;
    if (local()) {
      if (const std::shared_ptr<Fetch> fetch = fetch_.lock()) fetch->OnReport(number_, report_);
      return;
    }
    home_executor_.Post([weak = fetch_, number = number_, report = report_]() mutable {
      if (const std::shared_ptr<Fetch> fetch = weak.lock())
        fetch->OnReport(number, std::move(report));
    });
  }

  const std::weak_ptr<Fetch> fetch_;
  const size_t number_;
  const size_t shard_;
  const size_t home_;
  Executor& here_;
  Executor& home_executor_;
  std::vector<Item> items_;
  Report report_;
  bool report_in_flight_ = false;  // The home shard has not answered the last report yet.
  bool news_ = false;              // Something came since.
  bool scheduled_ = false;
  bool ended_ = false;
};

Fetch::Fetch(ExecutorOf executors, size_t home, FetchPlan plan, Done done)
    : executors_(std::move(executors)),
      home_(home),
      plan_(std::move(plan)),
      done_(std::move(done)) {
  available_.assign(plan_.items.size(), 0);
  results_.assign(plan_.items.size(), absl::StatusOr<ReadResult>(ReadResult{}));
}

std::shared_ptr<Fetch> Fetch::Start(ExecutorOf executors, size_t home, const Clock& clock,
                                    FetchPlan plan, Done done) {
  std::shared_ptr<Fetch> fetch(
      new Fetch(std::move(executors), home, std::move(plan), std::move(done)));
  fetch->Begin(clock);
  return fetch;
}

void Fetch::Begin(const Clock& clock) {
  std::map<size_t, std::shared_ptr<SubWait>> by_shard;
  for (size_t i = 0; i < plan_.items.size(); ++i) {
    const FetchItem& item = plan_.items[i];
    if (!item.partition.ok()) {
      results_[i] = item.partition.status();
      urgent_ = true;
      continue;
    }
    std::shared_ptr<SubWait>& sub_wait = by_shard[(*item.partition)->shard()];
    if (sub_wait == nullptr) {
      sub_wait = std::make_shared<SubWait>(weak_from_this(), sub_waits_.size(),
                                           (*item.partition)->shard(), home_, executors_);
      sub_waits_.push_back(sub_wait);
    }
    sub_wait->Add(i, item);
  }
  reports_missing_ = sub_waits_.size();
  if (clock.Mono() >= plan_.deadline) urgent_ = true;
  if (sub_waits_.empty() && urgent_) return Finish();
  if (sub_waits_.empty()) {  // Nothing asked: answered at the deadline.
    phase_ = Phase::kWaiting;
    return StartTimer();
  }
  const std::vector<std::shared_ptr<SubWait>> sub_waits = sub_waits_;
  const size_t enough = urgent_ ? 0 : std::min(plan_.bytes_min, plan_.bytes_max);
  for (const std::shared_ptr<SubWait>& sub_wait : sub_waits)
    sub_wait->Run([sub_wait, enough] { sub_wait->Begin(enough); });
}

void Fetch::StartTimer() {
  timer_ = executors_(home_).PostAt(plan_.deadline, [self = shared_from_this()] {
    self->timer_ = kNoTimer;
    self->Collect();
  });
}

void Fetch::OnReport(size_t sub_wait, Report report) {
  if (phase_ == Phase::kReading || phase_ == Phase::kOver) return;
  const std::shared_ptr<SubWait> from = sub_waits_[sub_wait];
  for (size_t i = 0; i < report.bytes.size(); ++i)
    available_[from->items()[i].index] = report.bytes[i];
  urgent_ |= report.urgent;
  if (phase_ == Phase::kCounting && --reports_missing_ > 0) return;
  const bool first = phase_ == Phase::kCounting;
  phase_ = Phase::kWaiting;
  size_t total = 0;
  for (size_t i = 0; i < available_.size(); ++i)
    total += std::min(available_[i], plan_.items[i].spec.bytes_max);
  if (urgent_ || std::min(total, plan_.bytes_max) >= std::min(plan_.bytes_min, plan_.bytes_max))
    return Collect();
  if (!first) return from->Run([from] { from->Rearm(); });
  // The first time they all wait for leave to go on. A local one may report at once.
  StartTimer();
  const std::vector<std::shared_ptr<SubWait>> sub_waits = sub_waits_;
  for (const std::shared_ptr<SubWait>& waiting : sub_waits) {
    if (phase_ == Phase::kWaiting) waiting->Run([waiting] { waiting->Rearm(); });
  }
}

void Fetch::Collect() {
  const std::shared_ptr<Fetch> self = shared_from_this();
  phase_ = Phase::kReading;
  CancelTimer();
  // Each partition's share of the answer, in the order asked. The first that has anything gives its
  // first batch whole (KIP-74); one that has nothing is only asked for its offsets.
  std::vector<ReadSpec> specs(plan_.items.size());
  size_t left = plan_.bytes_max;
  bool whole = true;
  for (size_t i = 0; i < plan_.items.size(); ++i) {
    specs[i] = plan_.items[i].spec;
    if (!plan_.items[i].partition.ok()) continue;
    specs[i].bytes_max = available_[i] == 0 ? 0 : std::min(specs[i].bytes_max, left);
    specs[i].first_batch_whole = available_[i] > 0 && std::exchange(whole, false);
    left -= std::min(left, std::min(specs[i].bytes_max, available_[i]));
  }
  for (const std::shared_ptr<SubWait>& sub_wait : sub_waits_)
    reads_missing_ += sub_wait->items().size();
  if (reads_missing_ == 0) return Finish();
  const std::vector<std::shared_ptr<SubWait>> sub_waits = sub_waits_;
  for (const std::shared_ptr<SubWait>& sub_wait : sub_waits) {
    std::vector<ReadSpec> part;
    part.reserve(sub_wait->items().size());
    for (const SubWait::Item& item : sub_wait->items())
      part.push_back(std::move(specs[item.index]));
    sub_wait->Run([self, sub_wait, part = std::move(part)]() mutable {
      sub_wait->Read(self, std::move(part));
    });
  }
}

void Fetch::OnRead(size_t item, absl::StatusOr<ReadResult> result) {
  if (phase_ != Phase::kReading) return;
  results_[item] = std::move(result);
  if (--reads_missing_ == 0) Finish();
}

void Fetch::Finish() {
  phase_ = Phase::kOver;
  CancelTimer();
  sub_waits_.clear();
  Done done = std::move(done_);
  std::move(done)(std::move(results_));
}

void Fetch::Cancel() {
  if (phase_ == Phase::kOver) return;
  const std::shared_ptr<Fetch> self = shared_from_this();
  phase_ = Phase::kOver;
  CancelTimer();
  for (const std::shared_ptr<SubWait>& sub_wait : sub_waits_)
    sub_wait->Run([sub_wait] { sub_wait->End(); });
  sub_waits_.clear();
  done_ = nullptr;
}

void Fetch::CancelTimer() {
  if (timer_ != kNoTimer) executors_(home_).Cancel(std::exchange(timer_, kNoTimer));
}

}  // namespace garam
