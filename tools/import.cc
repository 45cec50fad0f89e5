// tidemark import: any SQLite file becomes the present state of an object, in one commit.
//
// Pages are copied as they are, so the page size, the encoding and the layout stay; the content is
// proven in two steps before the commit: SQLite's integrity check of the source, and a second
// reading of source and object side by side.

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "engine/transaction.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/sqlite_source.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

constexpr const char* kNothingImported = "nothing was imported";
constexpr uint32_t kPagesBetweenProgress = 64;

struct Arguments {
  std::string store;
  std::string object;
  std::string file;
  bool replace = false;
};

// Page 1 as the vfs stores it: not in WAL mode (bytes 18-19 are 1), and with zero for the change
// counter (24-27) and the commit that the version number is valid for (92-95), which the vfs
// serves from a count of its own.
void MakeStoredHeader(std::span<std::byte> page_one) {
  page_one[18] = std::byte{1};
  page_one[19] = std::byte{1};
  std::memset(&page_one[24], 0, 4);
  std::memset(&page_one[92], 0, 4);
}

// Reads the source's pages as the object is to hold them.
class Pages {
 public:
  explicit Pages(SqliteSource& source) : source_(source), page_(source.page_size()) {}

  std::span<const std::byte> Read(PageNo page_no) {
    source_.ReadPage(page_no, page_);
    if (page_no.value == 1) MakeStoredHeader(page_);
    return page_;
  }

 private:
  SqliteSource& source_;
  std::vector<std::byte> page_;
};

// Calls `step` for every page, with a bar, and lets the user stop it.
template <typename Step>
void ForEachPage(const SqliteSource& source, const std::string& label, const Step& step) {
  Progress progress(label);
  for (uint32_t number = 1; number <= source.page_count(); ++number) {
    step(PageNo(number));
    if (number % kPagesBetweenProgress == 0) {
      progress.Update(number, source.page_count());
      InterruptGuard::ThrowIfInterrupted(kNothingImported);
    }
  }
}

CommitInfo CopyPages(SqliteSource& source, const std::shared_ptr<Object>& object,
                     const Subject& subject) {
  Transaction transaction(object);
  OrThrow(transaction.Begin(), subject);
  OrThrow(transaction.ResetPageSize(source.page_size()), subject);
  Pages pages(source);
  ForEachPage(source, "importing", [&](PageNo page_no) {
    OrThrow(transaction.WritePage(page_no, pages.Read(page_no)), subject);
  });
  OrThrow(transaction.SetPageCount(source.page_count()), subject);

  std::vector<std::byte> staged(source.page_size());
  ForEachPage(source, "proving", [&](PageNo page_no) {
    OrThrow(transaction.ReadPage(page_no, staged), subject);
    const std::span<const std::byte> expected = pages.Read(page_no);
    if (std::memcmp(staged.data(), expected.data(), staged.size()) != 0) {
      throw FileFailure("page " + std::to_string(page_no.value) +
                            " was read twice from the file and came different",
                        kNothingImported);
    }
  });
  source.CheckUnchanged();
  return OrThrow(transaction.Commit(), subject);
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const InterruptGuard guard;
  Session session(arguments.store);
  Json document;
  std::string line;
  std::optional<std::string> undo;
  {
    const std::shared_ptr<Object> object = session.OpenOrCreateObject(name);
    const bool existed = object->exists();
    if (existed && !arguments.replace) {
      throw Failure(StatusCodeName(StatusCode::kExists), kExitFailed,
                    "object " + name.text + " exists already",
                    "nothing was imported; --replace puts the file in its place, and its history "
                    "stays");
    }
    std::optional<Bookmark> before;
    if (existed) {
      before = OrThrow(object->CurrentBookmark(), session.AboutObject(name.text));
      undo = RestoreCommand(session, name.text, *before);
    }

    SqliteSource source(arguments.file);
    const CommitInfo commit = CopyPages(source, object, session.AboutObject(name.text));
    OrThrow(session.store().WaitDurable(commit.lsn), session.AboutObject(name.text));

    document = {{"store", session.path()}, {"object", name.text}, {"file", arguments.file},
                {"replaced", existed},     {"before", nullptr},   {"undo", nullptr}};
    if (existed) {
      document["before"] = before->ToString();
      document["undo"] = *undo;
    }
    document.update(CommitJson(*object, commit));
    line = "imported " + arguments.file + " as " + name.text + ": " +
           FormatBytes(DatabaseBytes(commit)) + " in " + Plural(commit.page_count, "page") +
           " of " + FormatBytes(commit.page_size) + "\nbookmark " +
           object->BookmarkOf(commit).ToString();
  }
  session.Close();
  if (json) {
    PrintJson(document);
    return;
  }
  PrintLine(line);
  if (undo) {
    PrintLine("it replaced what was there. To undo:");
    PrintLine("  " + *undo);
  }
}

}  // namespace

void AddImport(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "import",
       .summary = "Copy a SQLite file into an object",
       .usage = "STORE OBJECT FILE [--replace]",
       .details = "FILE may be in use and in WAL mode (its -wal is read too); it is only read, and "
                  "checked first.\nAll of it arrives in one commit, or nothing does. Foreign keys "
                  "are not checked. A file with a\n-wal needs room for a copy in TMPDIR.",
       .example = "tidemark import /var/lib/rooms rooms/lobby lobby.sqlite\n"
                  "tidemark import /var/lib/rooms rooms/lobby newer.sqlite --replace",
       .json_fields = "{\"store\",\"object\",\"file\",\"replaced\",\"before\",\"undo\"} and of the "
                      "commit:\n" +
                      std::string(kCommitFields) +
                      "\nbefore (a bookmark) and undo (a command) are null for a new object"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("FILE", "The SQLite database to import", &arguments->file);
  verb.Flag("--replace", "Replace an object that exists", &arguments->replace);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
