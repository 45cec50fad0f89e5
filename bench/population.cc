#include "bench/population.h"

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "bench/process.h"
#include "engine/transaction.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// A line of /proc/self/status in MB.
double StatusMegaBytes(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) return 1024 * std::stod(line.substr(key.size() + 1)) / 1e6;
  }
  Fail("measuring memory", "no " + key + " in /proc/self/status");
}

using Page = std::vector<std::byte>;

// The pages of an object with the table and a row.
std::vector<Page> TemplatePages(Bed& bed) {
  constexpr char kTemplate[] = "the-template";
  {
    Random random(41);
    Connection connection = bed.Open(kTemplate);
    if (connection.QueryInteger("select count(*) from sqlite_schema") == 0) {
      connection.Preload(1, random);
    }
  }
  const auto object = Require(bed.store()->OpenObject("bench", kTemplate, IfMissing::kFail),
                              "opening the template");
  const Snapshot snapshot = Require(object->OpenSnapshot(), "a snapshot of the template");
  std::vector<Page> pages;
  for (uint32_t number = 1; number <= snapshot.page_count(); ++number) {
    pages.emplace_back(snapshot.page_size());
    Require(snapshot.ReadPage(PageNo(number), pages.back()), "reading the template");
  }
  return pages;
}

}  // namespace

std::string IdleObjectName(int64_t number) { return "idle-" + std::to_string(number); }

void AddIdleObjects(Bed& bed, int64_t first, int64_t count) {
  const std::vector<Page> pages = TemplatePages(bed);
  for (int64_t i = first; i < first + count; ++i) {
    const std::string name = IdleObjectName(i);
    Transaction transaction(
        Require(bed.store()->OpenObject("bench", name, IfMissing::kCreate), "opening " + name));
    Require(transaction.Begin(), "beginning " + name);
    Require(transaction.ResetPageSize(static_cast<uint32_t>(pages.front().size())), name);
    for (uint32_t number = 1; number <= pages.size(); ++number) {
      Require(transaction.WritePage(PageNo(number), pages[number - 1]), "writing " + name);
    }
    Require(transaction.Commit(), "committing " + name);
  }
  bed.Sync();
  Require(bed.store()->Checkpoint(), "checkpoint");
}

OpenedStore OpenInProcess(const std::string& store_path, int64_t number) {
  const ProcessEnd end = RunSelf({"--open-and-tell", store_path, std::to_string(number)});
  OpenedStore opened;
  if (end.status != 0 ||
      std::sscanf(end.output.c_str(), "%lf %lf %lf %lf %lf", &opened.open_s, &opened.first_row_ms,
                  &opened.rss_mb, &opened.anonymous_mb, &opened.descriptors) != 5) {
    Fail("opening " + store_path + " in a process of its own", "it said: " + end.output);
  }
  return opened;
}

void OpenAndTell(const std::string& store_path, int64_t number) {
  OpenedStore opened;
  auto start = SteadyClock::now();
  const auto store = Require(Store::Open(store_path, StoreOptions()), "opening " + store_path);
  opened.open_s = SecondsSince(start);
  start = SteadyClock::now();
  {
    Connection connection(
        Require(Database::Open(*store, "bench", IdleObjectName(number)), "opening an object"));
    connection.ReadRow(0);
  }
  opened.first_row_ms = SecondsSince(start) * 1e3;
  malloc_trim(0);
  opened.rss_mb = StatusMegaBytes("VmRSS");
  opened.anonymous_mb = StatusMegaBytes("RssAnon");
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++opened.descriptors;
  }
  --opened.descriptors;  // the listing's own
  std::printf("%.6f %.6f %.3f %.3f %.0f\n", opened.open_s, opened.first_row_ms, opened.rss_mb,
              opened.anonymous_mb, opened.descriptors);
  Require(store->Close(), "closing " + store_path);
  std::exit(0);
}

}  // namespace tidemark::bench
