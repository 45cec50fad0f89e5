// The packer: gives back the space of history that has expired, one PackJob after the other.
//
// The log is packed from its begin, so packed segments stand for a first part of it and the log's
// own segments for the rest. A sealed segment of the log is packed once, with what was packed
// before it if that is not larger: many small ones become few. A packed one is written anew when
// what is left of it is so little that keeping it would take more than kMostWaste times the space
// of what is needed. One behind the newest horizon of all is not looked at: nothing in it has
// expired.
//
// A run in the background (RetentionWorker) pauses between pieces of its work, and gives way to
// whoever calls Run or KeepFiles: it ends there, and begins again later.
//
// Threads: any; one run at a time. Order of locks: mutex_, files_mutex_, wanted_mutex_.

#ifndef TIDEMARK_ENGINE_INTERNAL_PACKER_H_
#define TIDEMARK_ENGINE_INTERNAL_PACKER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/internal/budget.h"
#include "engine/internal/pacer.h"
#include "engine/internal/pack_job.h"

namespace tidemark::internal {

class Packer {
 public:
  explicit Packer(StoreImpl* store) : store_(store) {}

  // Until nothing pays any more, or over everything once. Errors: those of PackJob::Run, and of a
  // checkpoint; kBusy while somebody keeps the files. What was packed before stays so.
  Result<ReclaimReport> Run(ReclaimWhat what);
  // The same in the background, as `pacer` says. Waits for nobody. Errors: as Run; kBusy also if
  // there is another run, or somebody came who wants one.
  Result<ReclaimReport> RunPaced(ReclaimWhat what, Pacer* pacer);

  // It ended before it had looked at all packed segments, because so much of the log waits: the
  // next one goes on there. By the thread that runs it.
  bool is_unfinished() const { return resume_from_ != 0; }
  // Of kWhatPays only the log's own segments, and packed ones that are written anew with them: full
  // ones; or what is in the one in use, too, unless one before it cannot be packed now.
  enum class LogPart { kFull, kAll };
  Result<ReclaimReport> PackLogPaced(LogPart part, Pacer* pacer);
  // Does so much of the log wait to be packed that the background should begin?
  bool LogWaits() const;

  // About how many bytes of packed segments have expired since a run looked at them, if all times
  // took as many: most of them can go. As of the licence that NoteHorizon, or a run, last met.
  uint64_t ExpiredBytes() const;
  // Errors: those of Retention::NewestHorizon.
  Status NoteHorizon();

  // For Purger: everything is written anew once, with nobody packing or verifying from before
  // `begin` until behind `end`. Not if all purges have ended when `begin` returns. `progress` gets
  // bytes of the files. With a pacer in the background, as RunPaced. Errors: as Run, and those of
  // `begin` and `end`; kBusy also if a large transaction is open that the files hold a part of.
  struct PurgeRun {
    std::function<Status()> begin;
    std::function<Status(const ReclaimReport&)> end;
    std::function<void(uint64_t done, uint64_t total)> progress{};
    Pacer* pacer = nullptr;
  };
  Status RunPurge(const PurgeRun& run);

  // About how many bytes Run(kWhatPays) would free under a licence; reads as much, and writes
  // nothing but a checkpoint. Errors: as Run.
  Result<uint64_t> Estimate(const LicenceRow& licence);
  // Likewise: what files it would leave. Errors: kCorruption, too, if it would leave one for
  // damage.
  Result<HistorySizes> EstimateSizes(const LicenceRow& licence);
  // Of packed segments.
  HistorySizes Sizes() const;
  // The same, if a run has gone through all of them since `licence` was granted (by this process):
  // nothing of what that let go of is to be given back any more.
  std::optional<HistorySizes> SizesSince(Lsn licence) const;
  uint64_t HistoryBytes() const;  // of packed segments

  // Since the open: bytes of the log's own segments that were packed, and of what was written.
  uint64_t packed_bytes() const { return packed_bytes_; }
  uint64_t rewritten_bytes() const { return rewritten_bytes_; }

  // Nothing is packed while it is held. Waits for a run to end.
  std::unique_lock<std::mutex> KeepFiles();

  const DictionaryRule& dictionary_rule() const { return dictionary_rule_; }
  // For tests, in which no object has much history, and files are small. While nothing is packed.
  void set_dictionary_rule(const DictionaryRule& rule) { dictionary_rule_ = rule; }
  void set_job_bytes(uint64_t bytes) { job_bytes_ = bytes; }

  // Ends a run, and waits for that; there is none from here on.
  void Stop();
  // Errors: kBroken if it was stopped.
  Status stopped() const;
  // Between two pieces of a run's work, by the thread that runs: pauses, if it is a paced one.
  // Errors: kBroken if it was stopped, kBusy if it is to give way; the run is to end then.
  Status Pace();

  // Of what a job meets: there is no room for it, or damage in its files. Others can be done.
  static bool CostsItsFilesOnly(const Status& status);

 private:
  static constexpr uint64_t kNever = UINT64_MAX;  // no LSN

  // One file, in the order of what it stands for.
  struct File {
    uint32_t number = 0;
    uint32_t first = 0;
    Location end;
    uint64_t bytes = 0;
    // Of a packed one, of its last record.
    Timestamp last{};
    Lsn last_lsn{};
  };
  // Calls `run` in the background, as `pacer` says.
  Status Paced(Pacer* pacer, const std::function<Status()>& run);
  Result<ReclaimReport> RunLocked(ReclaimWhat what);
  // Over everything once. What one job meets may leave others to be done: the first such error.
  Status GoThrough(ReclaimWhat what, ReclaimReport* report);
  Result<ReclaimReport> PackLogLocked(LogPart part);
  // The segments of the log that are sealed when it begins; `report` counts them.
  Status PackLog(ReclaimReport* report);
  Status PackAll(ReclaimReport* report);
  Status PackWhatPays(ReclaimReport* report);
  Status RunPurgeLocked(const PurgeRun& run);
  Status PackForPurge(const PurgeRun& run, ReclaimReport* report);
  // Of these files there is nothing to be done for the purges that have begun.
  std::vector<bool> FilesWithoutPurged(const std::vector<File>& files) const;
  // Takes a lock that a run in the background may hold, which ends then.
  std::unique_lock<std::mutex> Want(std::mutex& mutex);
  Status GiveWay() const;
  Result<std::vector<File>> Files() const;
  // Files of jobs that failed, and those that could not be removed then.
  Status RemoveLeftOvers();
  // What pays of the next job; returns how many files were packed.
  Result<size_t> PackFrom(const std::vector<File>& files, size_t begin, ReclaimReport* report);
  PackInput Input(const std::vector<File>& files, size_t begin, size_t count) const;
  size_t CountForAJob(const std::vector<File>& files, size_t begin) const;
  // How many files from files[begin] on it pays to pack together: the most; and what that frees.
  struct Paying {
    size_t count = 0;
    size_t least = 1;  // fewer do not pay
    uint64_t freed_bytes = 0;
  };
  Result<Paying> CountThatPay(const std::vector<File>& files, size_t begin,
                              const LicenceRow* licence) const;
  // The same of `count` files at most.
  Result<Paying> CountThatPay(const std::vector<File>& files, size_t begin, size_t count,
                              const LicenceRow* licence) const;
  // Calls `visit` for what Run(kWhatPays) would look at under a licence, and what it would free.
  // Damage, of which nothing is freed, is an error behind all else.
  Status EstimateEach(
      const LicenceRow& licence,
      const std::function<Status(const File& last, uint64_t bytes, uint64_t freed_bytes)>& visit);
  // When the log had come to the end of a file; or a little later.
  Result<Timestamp> EndTime(const File& file) const;
  Timestamp BeginTime() const;
  // Keeps others from packing and verifying. Errors: kBusy.
  Result<std::unique_lock<std::mutex>> TakeFiles();
  // From files[begin] on as many as are wanted, or fewer where there is no room for that, but
  // `least`; returns how many: 0 if that would part the pages of a commit that is not in the index.
  Result<size_t> Pack(const std::vector<File>& files, size_t begin, size_t wanted, size_t least,
                      ReclaimReport* report);
  // False: it has pages of a commit that is not in the index.
  Result<bool> RunJob(PackInput input, ReclaimReport* report);

  StoreImpl* const store_;
  // What one job takes in, unless a large commit makes it more.
  uint64_t job_bytes_ = 64u << 20;
  DictionaryRule dictionary_rule_;
  std::mutex mutex_;                      // held through a run
  std::mutex files_mutex_;                // likewise, and by who goes through all files
  std::atomic<uint32_t> resume_from_{0};  // what the next paced run begins with: a segment's number
  std::atomic<bool> stop_{false};
  // The licence in force when the run began that goes on at resume_from_, and when the last one
  // began that has gone through everything.
  Lsn began_under_;
  std::atomic<uint64_t> complete_under_{kNever};
  // What was found out by NoteHorizon; and up to which time runs have looked at what stands before
  // that.
  std::atomic<Timestamp> horizon_{kNoHorizon};
  std::atomic<Timestamp> looked_until_{kNoHorizon};
  std::atomic<uint64_t> packed_bytes_{0};
  std::atomic<uint64_t> rewritten_bytes_{0};

  std::mutex wanted_mutex_;
  int wanted_ = 0;          // how many wait for a run in the background to end
  Pacer* pacer_ = nullptr;  // of the run, if it is paced; changed by the thread that runs

  bool ends_purges_ = false;  // of the run; of the thread that runs
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PACKER_H_
