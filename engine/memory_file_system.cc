#include "engine/memory_file_system.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "engine/internal/sparse_bytes.h"

namespace tidemark {
namespace {

struct Node {
  std::shared_mutex mutex;
  internal::SparseBytes bytes;
};

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::shared_ptr<Node> node) : node_(std::move(node)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    const std::shared_lock lock(node_->mutex);
    return node_->bytes.Read(offset, out);
  }
  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    const std::lock_guard lock(node_->mutex);
    if (!data.empty()) node_->bytes.Write(offset, data);
    return OkStatus();
  }
  Status Sync() override { return OkStatus(); }
  Status Truncate(uint64_t size_bytes) override {
    const std::lock_guard lock(node_->mutex);
    node_->bytes.Resize(size_bytes);
    return OkStatus();
  }
  Status Allocate(uint64_t size_bytes) override {
    const std::lock_guard lock(node_->mutex);
    node_->bytes.Resize(std::max(size_bytes, node_->bytes.size()));
    return OkStatus();
  }
  Result<uint64_t> SizeBytes() const override {
    const std::shared_lock lock(node_->mutex);
    return node_->bytes.size();
  }

 private:
  const std::shared_ptr<Node> node_;
};

Status Missing(const std::string& path) {
  return Status(StatusCode::kNotFound, path + " is not there");
}

Status There(const std::string& path) {
  return Status(StatusCode::kExists, path + " is there already");
}

}  // namespace

class MemoryFileSystem::Impl {
 public:
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Node>> files;
  std::set<std::string> directories;
  std::set<std::string> locked;

  bool Has(const std::string& path) const {
    return files.contains(path) || directories.contains(path);
  }
};

namespace {

// Gives back what it is for when it goes.
class MemoryLock final : public FileLock {
 public:
  explicit MemoryLock(std::function<void()> release) : release_(std::move(release)) {}
  ~MemoryLock() override { release_(); }

 private:
  const std::function<void()> release_;
};

}  // namespace

MemoryFileSystem::MemoryFileSystem(std::string index_directory)
    : impl_(std::make_shared<Impl>()), index_directory_(std::move(index_directory)) {}

Result<std::unique_ptr<MemoryFileSystem>> MemoryFileSystem::Create() {
  std::error_code error;
  std::string path = std::filesystem::temp_directory_path(error).string() + "/tidemark-XXXXXX";
  if (error || mkdtemp(path.data()) == nullptr) {
    return Status(StatusCode::kIoError,
                  "cannot make a directory for the index of a store in memory, " + path + ": " +
                      (error ? error.message() : std::strerror(errno)) +
                      "; TMPDIR names the place for it");
  }
  return std::unique_ptr<MemoryFileSystem>(new MemoryFileSystem(std::move(path)));
}

MemoryFileSystem::~MemoryFileSystem() {
  std::error_code ignored;  // a temporary file that stays harms nobody
  std::filesystem::remove_all(index_directory_, ignored);
}

StoreOptions MemoryFileSystem::Options(const Clock* clock) {
  StoreOptions options;
  options.create_if_missing = true;
  options.segment_size_bytes = 1u << 20;
  options.file_system = this;
  options.clock = clock;
  options.index_directory = index_directory_;
  return options;
}

Result<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->files.find(path);
  if (mode == OpenMode::kCreateNew) {
    if (impl_->Has(path)) return There(path);
    const auto node = std::make_shared<Node>();
    impl_->files[path] = node;
    return std::unique_ptr<File>(std::make_unique<MemoryFile>(node));
  }
  if (it == impl_->files.end()) return Missing(path);
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(it->second));
}

Status MemoryFileSystem::Remove(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->files.erase(path) + impl_->directories.erase(path) > 0 ? OkStatus() : Missing(path);
}

Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->directories.contains(from)) {
    if (impl_->Has(to)) return There(to);
    impl_->directories.erase(from);
    impl_->directories.insert(to);
    // Directories inside are not needed by anybody yet.
    for (auto it = impl_->files.lower_bound(from + "/");
         it != impl_->files.end() && it->first.starts_with(from + "/");) {
      impl_->files[to + it->first.substr(from.size())] = std::move(it->second);
      it = impl_->files.erase(it);
    }
    return OkStatus();
  }
  auto node = impl_->files.extract(from);
  if (node.empty()) return Missing(from);
  impl_->files[to] = std::move(node.mapped());
  return OkStatus();
}

Status MemoryFileSystem::SyncDirectory(const std::string&) { return OkStatus(); }

Status MemoryFileSystem::CreateDirectory(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->Has(path)) return There(path);
  impl_->directories.insert(path);
  return OkStatus();
}

Result<std::vector<std::string>> MemoryFileSystem::ListDirectory(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->directories.contains(path)) return Missing(path);
  std::vector<std::string> names;
  const auto add = [&](const std::string& entry) {
    const size_t slash = entry.rfind('/');
    if (slash == path.size() && entry.starts_with(path)) names.push_back(entry.substr(slash + 1));
  };
  for (const auto& [name, node] : impl_->files) add(name);
  for (const std::string& name : impl_->directories) add(name);
  return names;
}

Result<bool> MemoryFileSystem::Exists(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->Has(path);
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->locked.insert(path).second) {
    return Status(StatusCode::kInUse, path + " is locked by this process (pid " +
                                          std::to_string(getpid()) + "): the store is open");
  }
  if (!impl_->files.contains(path)) impl_->files[path] = std::make_shared<Node>();
  return std::unique_ptr<FileLock>(std::make_unique<MemoryLock>([impl = impl_, path] {
    const std::lock_guard release(impl->mutex);
    impl->locked.erase(path);
  }));
}

}  // namespace tidemark
