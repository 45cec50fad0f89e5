#include "engine/internal/standby_manifest.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include "engine/format.h"
#include "engine/internal/record.h"
#include "engine/internal/segment_header.h"

namespace tidemark::internal {
namespace {

constexpr uint64_t kMaxBytes = 256 << 20;  // of a manifest: six million files

std::string Hexadecimal(uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

uint64_t HashOf(std::string_view text) {
  return SeededHash(std::as_bytes(std::span(text.data(), text.size())), 0);
}

// A number written as Encode writes it, and nothing behind it.
template <typename T>
bool ParseNumber(std::string_view text, T* value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end == text.data() + text.size();
}

// Splits "NAME REST" lines off the front.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  // The rest of the next line if it begins so.
  std::optional<std::string_view> Take(std::string_view name) {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos || end < name.size() + 1 || !rest_.starts_with(name) ||
        rest_[name.size()] != ' ') {
      return std::nullopt;
    }
    const std::string_view line = rest_.substr(name.size() + 1, end - name.size() - 1);
    rest_.remove_prefix(end + 1);
    return line;
  }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool ParseFile(std::string_view line, StandbyManifest* manifest) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const auto number = ParseSegmentName(std::string(line.substr(0, space)));
  if (!number) return false;
  const std::string_view bytes = line.substr(space + 1);
  if (format::IsPacked(*number)) return ParseNumber(bytes, &manifest->packed[*number]);
  return ParseNumber(bytes, &manifest->segments[*number]);
}

bool Parse(std::string_view text, StandbyManifest* manifest) {
  Lines lines(text);
  const auto version = lines.Take("tidemark standby");
  const auto source = lines.Take("source");
  const auto store = lines.Take("store");
  const auto lsn = lines.Take("lsn");
  const auto time = lines.Take("time");
  const auto last = lines.Take("last");
  if (!version || *version != "1" || !source || !store || !lsn || !time || !last) return false;
  manifest->source = *source;
  int64_t microseconds = 0;
  const size_t space = last->find(' ');
  if (!ParseNumber(*store, &manifest->store_id, 16) || !ParseNumber(*lsn, &manifest->lsn.value) ||
      !ParseNumber(*time, &microseconds) || space == std::string_view::npos ||
      !ParseNumber(last->substr(0, space), &manifest->last_group) ||
      !ParseNumber(last->substr(space + 1), &manifest->last_hash, 16)) {
    return false;
  }
  manifest->time = Timestamp(std::chrono::microseconds(microseconds));
  while (const auto file = lines.Take("file")) {
    if (!ParseFile(*file, manifest)) return false;
  }
  return lines.AtEnd() && !manifest->segments.empty();
}

}  // namespace

uint64_t StandbyManifest::bytes() const {
  uint64_t sum = 0;
  for (const auto& [number, size] : packed) sum += size;
  for (const auto& [number, size] : segments) sum += size;
  return sum;
}

std::string StandbyManifest::Encode() const {
  std::string text = "tidemark standby 1\nsource " + source + "\nstore " + Hexadecimal(store_id) +
                     "\nlsn " + std::to_string(lsn.value) + "\ntime " +
                     std::to_string(time.time_since_epoch().count()) + "\nlast " +
                     std::to_string(last_group) + " " + Hexadecimal(last_hash) + "\n";
  const auto add = [&text](uint32_t number, uint64_t size) {
    text += "file " + SegmentName(number) + " " + std::to_string(size) + "\n";
  };
  for (const auto& [number, size] : packed) add(number, size);
  for (const auto& [number, size] : segments) add(number, size);
  return text + "hash " + Hexadecimal(HashOf(text)) + "\n";
}

Result<StandbyManifest> StandbyManifest::Decode(std::string_view text) {
  StandbyManifest manifest;
  const size_t hash = text.rfind("\nhash ");
  // Encoded again it must be the same: one text for one meaning.
  if (hash == std::string_view::npos || !Parse(text.substr(0, hash + 1), &manifest) ||
      manifest.Encode() != text) {
    return Status(StatusCode::kCorruption,
                  "the file STANDBY is damaged: remove the standby's directory and begin again");
  }
  return manifest;
}

Result<std::optional<StandbyManifest>> StandbyManifest::Read(FileSystem& files,
                                                             const std::string& directory) {
  const std::string path = directory + "/" + kName;
  const auto opened = files.Open(path, OpenMode::kReadOnly);
  if (opened.status().code() == StatusCode::kNotFound) return std::optional<StandbyManifest>();
  TIDEMARK_RETURN_IF_ERROR(opened.status());
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t size, (*opened)->SizeBytes());
  if (size > kMaxBytes) return Status(StatusCode::kCorruption, path + " is too long");
  std::string text(size, '\0');
  TIDEMARK_ASSIGN_OR_RETURN(
      const size_t read,
      (*opened)->ReadAt(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  text.resize(read);
  TIDEMARK_ASSIGN_OR_RETURN(StandbyManifest manifest, Decode(text));
  return std::optional<StandbyManifest>(std::move(manifest));
}

Status StandbyManifest::Write(FileSystem& files, const std::string& directory) const {
  const std::string path = directory + "/" + kName;
  const std::string next = path + ".next";
  TIDEMARK_ASSIGN_OR_RETURN(const bool left, files.Exists(next));
  if (left) TIDEMARK_RETURN_IF_ERROR(files.Remove(next));
  TIDEMARK_ASSIGN_OR_RETURN(const auto file, files.Open(next, OpenMode::kCreateNew));
  const std::string text = Encode();
  TIDEMARK_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(text.data(), text.size()))));
  TIDEMARK_RETURN_IF_ERROR(file->Sync());
  TIDEMARK_RETURN_IF_ERROR(files.Rename(next, path));
  return files.SyncDirectory(directory);
}

}  // namespace tidemark::internal
