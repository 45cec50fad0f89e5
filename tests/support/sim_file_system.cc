#include "tests/support/sim_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "engine/check.h"

namespace tidemark::testing {
namespace {

// "a/b" of "a/b/c"; "" of "a" and of "/a".
std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// The directories that are there before anyone makes one.
bool IsRoot(const std::string& path) { return path.empty() || path == "/" || path == "."; }

Status Missing(const std::string& what, const std::string& path) {
  return Status(StatusCode::kNotFound, "cannot " + what + " " + path + ": not there");
}

}  // namespace

class SimFileSystem::SimFile final : public File {
 public:
  SimFile(SimFileSystem* fs, std::string path, NodePtr node, bool writable)
      : fs_(fs),
        path_(std::move(path)),
        node_(std::move(node)),
        writable_(writable),
        power_on_(fs->power_on_) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(Check("read"));
    TIDEMARK_RETURN_IF_ERROR(fs_->CountRead(path_, offset, out.size()));
    return node_->current.Read(offset, out);
  }
  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(CheckWritable("write"));
    return fs_->Write(*node_, path_, offset, data);
  }
  Status Sync() override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(Check("sync"));
    return fs_->Sync(*node_, path_);
  }
  Status Truncate(uint64_t size_bytes) override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(CheckWritable("truncate"));
    return fs_->SetSize(*node_, path_, size_bytes, "truncate");
  }
  Status Allocate(uint64_t size_bytes) override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(CheckWritable("allocate"));
    return fs_->SetSize(*node_, path_, std::max(size_bytes, node_->current.size()), "allocate");
  }
  Result<uint64_t> SizeBytes() const override {
    const std::scoped_lock lock(fs_->mutex_);
    TIDEMARK_RETURN_IF_ERROR(Check("find the size of"));
    return node_->current.size();
  }

 private:
  Status Check(const char* what) const {
    if (power_on_ != fs_->power_on_) {
      return Status(StatusCode::kIoError, path_ + " was opened before the power failed");
    }
    return fs_->CheckPower(std::string(what) + " " + path_);
  }
  Status CheckWritable(const char* what) const {
    if (!writable_) return Status(StatusCode::kReadOnly, path_ + " was opened for reading");
    return Check(what);
  }

  SimFileSystem* const fs_;
  const std::string path_;
  const NodePtr node_;
  const bool writable_;
  const uint64_t power_on_;
};

class SimFileSystem::SimLock final : public FileLock {
 public:
  SimLock(SimFileSystem* fs, std::string path)
      : fs_(fs), path_(std::move(path)), power_on_(fs->power_on_) {}
  ~SimLock() override {
    const std::scoped_lock lock(fs_->mutex_);
    if (power_on_ == fs_->power_on_) fs_->locked_.erase(path_);
  }

 private:
  SimFileSystem* const fs_;
  const std::string path_;
  const uint64_t power_on_;
};

void SimFileSystem::Names::Apply(const NameChange& change) {
  if (change.node == nullptr && !change.removed.empty() && directories.erase(change.removed) > 0) {
    MoveFiles(change.removed + "/", change.added + "/");
  }
  if (!change.removed.empty()) files.erase(change.removed);
  if (change.added.empty()) return;
  if (change.node == nullptr) {
    directories.insert(change.added);
  } else {
    files[change.added] = change.node;
  }
}

// Directories inside are not needed by anybody yet.
void SimFileSystem::Names::MoveFiles(const std::string& from, const std::string& to) {
  for (auto it = files.lower_bound(from); it != files.end() && it->first.starts_with(from);) {
    files[to + it->first.substr(from.size())] = it->second;
    it = files.erase(it);
  }
}

// What stands in a directory that is not there is not there either.
void SimFileSystem::Names::DropOrphans() {
  const auto is_orphan = [&](const std::string& path) {
    for (std::string parent = ParentOf(path); !IsRoot(parent); parent = ParentOf(parent)) {
      if (!directories.contains(parent)) return true;
    }
    return false;
  };
  std::erase_if(directories, is_orphan);
  std::erase_if(files, [&](const auto& entry) { return is_orphan(entry.first); });
}

SimFileSystem::SimFileSystem(uint64_t seed) : random_(seed) {}

SimFileSystem::SimFileSystem(uint64_t seed, const Image& image) : random_(seed) {
  Image copy = Copy(image.current_, image.durable_, image.pending_names_);
  current_ = std::move(copy.current_);
  durable_ = std::move(copy.durable_);
  pending_names_ = std::move(copy.pending_names_);
}

SimFileSystem::Image SimFileSystem::Save() const {
  const std::scoped_lock lock(mutex_);
  return Copy(current_, durable_, pending_names_);
}

SimFileSystem::Image SimFileSystem::Copy(const Names& current, const Names& durable,
                                         const std::vector<NameChange>& pending) {
  std::map<NodePtr, NodePtr> copies;  // a node may have several names
  const auto copy = [&](NodePtr& node) {
    if (node == nullptr) return;
    NodePtr& made = copies[node];
    if (made == nullptr) made = std::make_shared<Node>(*node);
    node = made;
  };
  Image image;
  image.current_ = current;
  image.durable_ = durable;
  image.pending_names_ = pending;
  for (auto& [path, node] : image.current_.files) copy(node);
  for (auto& [path, node] : image.durable_.files) copy(node);
  for (NameChange& change : image.pending_names_) copy(change.node);
  return image;
}

SimFileSystem::~SimFileSystem() = default;

SimFileSystem::NodePtr SimFileSystem::Find(const std::string& path) const {
  const auto it = current_.files.find(path);
  CHECK(it != current_.files.end());
  return it->second;
}

Status SimFileSystem::CheckPower(const std::string& what) const {
  if (!crashed_) return OkStatus();
  return Status(StatusCode::kIoError, "cannot " + what + ": the power is off");
}

Status SimFileSystem::PowerFailed(const std::string& what) {
  crashed_ = true;
  return CheckPower(what);
}

Status SimFileSystem::Count(const std::string& what, bool* now) {
  TIDEMARK_RETURN_IF_ERROR(CheckPower(what));
  TIDEMARK_RETURN_IF_ERROR(CountDown(what));
  *now = ++operations_ == crash_at_;
  return OkStatus();
}

Status SimFileSystem::CheckParent(const std::string& path) const {
  const std::string parent = ParentOf(path);
  if (IsRoot(parent) || current_.directories.contains(parent)) return OkStatus();
  return Missing("find directory", parent);
}

Status SimFileSystem::Write(Node& node, const std::string& path, uint64_t offset,
                            std::span<const std::byte> data) {
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(Count("write " + path, &now));
  const uint64_t end = offset + data.size();
  if (end > node.current.size() && UsedBytesLocked() + (end - node.current.size()) > capacity_) {
    return Status(StatusCode::kFull, "cannot write " + path + ": the disk is full");
  }
  if (now) {
    if (random_.OneIn(2)) ApplyWrite(node, offset, data);
    return PowerFailed("write " + path);
  }
  if (writes_to_fail_ != 0 && --writes_to_fail_ == 0) {
    ++failed_writes_;
    ApplyWrite(node, offset, data.first(static_cast<size_t>(random_.Below(data.size() + 1))));
    return Status(write_failure_, "cannot write " + path + ": a simulated failure");
  }
  ApplyWrite(node, offset, data);
  return OkStatus();
}

void SimFileSystem::ApplyWrite(Node& node, uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  const uint64_t old_size = node.current.size();
  node.current.Write(offset, data);
  Change change;
  change.offset = offset / kSectorBytes * kSectorBytes;
  const uint64_t end = (offset + data.size() + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
  change.sectors.resize(static_cast<size_t>(end - change.offset));
  node.current.Read(change.offset, change.sectors);
  change.size = node.current.size();
  change.size_changed = change.size != old_size;
  node.pending.push_back(std::move(change));
}

void SimFileSystem::ApplySize(Node& node, uint64_t size) {
  node.current.Resize(size);
  Change change;
  change.size = size;
  change.size_changed = true;
  node.pending.push_back(std::move(change));
}

Status SimFileSystem::SetSize(Node& node, const std::string& path, uint64_t size,
                              const char* what) {
  const std::string doing = std::string(what) + " " + path;
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(Count(doing, &now));
  if (size > node.current.size() && UsedBytesLocked() + (size - node.current.size()) > capacity_) {
    return Status(StatusCode::kFull, "cannot " + doing + ": the disk is full");
  }
  if (now) {
    if (random_.OneIn(2)) ApplySize(node, size);
    return PowerFailed(doing);
  }
  if (size != node.current.size()) ApplySize(node, size);
  return OkStatus();
}

Status SimFileSystem::Sync(Node& node, const std::string& path) {
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(Count("sync " + path, &now));
  if (now) return PowerFailed("sync " + path);
  if (syncs_to_fail_ != 0 && --syncs_to_fail_ == 0) {
    ++failed_syncs_;
    // What the disk did not take now, the page cache calls clean: no later sync writes it.
    Persist(node, PowerLoss::kSeeded);
    return Status(StatusCode::kIoError, "cannot sync " + path + ": a simulated failure");
  }
  for (const Change& change : node.pending) {
    if (change.size_changed) node.durable.Resize(change.size);
    const uint64_t size = node.durable.size();
    node.durable.Write(change.offset, change.sectors);
    node.durable.Resize(size);  // the last sector may reach beyond the end
  }
  node.pending.clear();
  return OkStatus();
}

Result<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path, OpenMode mode) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("open " + path));
  TIDEMARK_RETURN_IF_ERROR(CheckParent(path));
  if (mode != OpenMode::kCreateNew) TIDEMARK_RETURN_IF_ERROR(CountDown("open " + path));
  if (mode == OpenMode::kCreateNew) {
    if (current_.files.contains(path) || current_.directories.contains(path)) {
      return Status(StatusCode::kExists, "cannot create " + path + ": it exists");
    }
    TIDEMARK_RETURN_IF_ERROR(ChangeName(
        "create " + path, {.removed = "", .added = path, .node = std::make_shared<Node>()}));
  }
  const auto it = current_.files.find(path);
  if (it == current_.files.end()) return Missing("open", path);
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(this, path, it->second, mode != OpenMode::kReadOnly));
}

Status SimFileSystem::ChangeName(const std::string& what, NameChange change) {
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(Count(what, &now));
  if (!now || random_.OneIn(2)) {
    current_.Apply(change);
    pending_names_.push_back(std::move(change));
  }
  return now ? PowerFailed(what) : OkStatus();
}

Status SimFileSystem::Remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("remove " + path));
  if (!current_.files.contains(path)) return Missing("remove", path);
  return ChangeName("remove " + path, {.removed = path, .added = "", .node = nullptr});
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("rename " + from));
  TIDEMARK_RETURN_IF_ERROR(CheckParent(to));
  if (current_.directories.contains(from)) {
    if (current_.directories.contains(to)) {
      return Status(StatusCode::kIoError, "cannot rename " + from + " to " + to + ": it exists");
    }
    return ChangeName("rename " + from, {.removed = from, .added = to, .node = nullptr});
  }
  const auto it = current_.files.find(from);
  if (it == current_.files.end()) return Missing("rename", from);
  return ChangeName("rename " + from, {.removed = from, .added = to, .node = it->second});
}

Status SimFileSystem::CreateDirectory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("create " + path));
  TIDEMARK_RETURN_IF_ERROR(CheckParent(path));
  if (IsRoot(path) || current_.files.contains(path) || current_.directories.contains(path)) {
    return Status(StatusCode::kExists, "cannot create directory " + path + ": it exists");
  }
  return ChangeName("create directory " + path, {.removed = "", .added = path, .node = nullptr});
}

Status SimFileSystem::SyncDirectory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(Count("sync directory " + path, &now));
  if (now) return PowerFailed("sync directory " + path);
  if (!IsRoot(path) && !current_.directories.contains(path)) {
    return Missing("sync directory", path);
  }
  const auto is_in = [&](const std::string& name) {
    if (name.empty()) return false;
    const std::string parent = ParentOf(name);
    return parent == path || (IsRoot(parent) && IsRoot(path));
  };
  if (syncs_to_fail_ != 0 && --syncs_to_fail_ == 0) {
    ++failed_syncs_;
    return Status(StatusCode::kIoError, "cannot sync directory " + path + ": a simulated failure");
  }
  std::erase_if(pending_names_, [&](const NameChange& change) {
    if (!is_in(change.removed) && !is_in(change.added)) return false;
    durable_.Apply(change);
    return true;
  });
  return OkStatus();
}

Result<std::vector<std::string>> SimFileSystem::ListDirectory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("list " + path));
  if (!IsRoot(path) && !current_.directories.contains(path)) return Missing("list", path);
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (ParentOf(name) == path) names.push_back(name.substr(name.rfind('/') + 1));
  };
  for (const auto& [name, node] : current_.files) add(name);
  for (const std::string& name : current_.directories) add(name);
  return names;
}

Result<bool> SimFileSystem::Exists(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("look up " + path));
  return IsRoot(path) || current_.files.contains(path) || current_.directories.contains(path);
}

Result<std::unique_ptr<FileLock>> SimFileSystem::Lock(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(CheckPower("lock " + path));
  TIDEMARK_RETURN_IF_ERROR(CheckParent(path));
  if (!locked_.insert(path).second) {
    return Status(StatusCode::kInUse, "store is in use by process " + std::to_string(::getpid()) +
                                          ", which holds " + path);
  }
  // The lock file is no operation worth a crash: its bytes mean nothing after one.
  if (!current_.files.contains(path)) {
    NameChange change{.removed = "", .added = path, .node = std::make_shared<Node>()};
    current_.Apply(change);
    pending_names_.push_back(std::move(change));
  }
  return std::unique_ptr<FileLock>(std::make_unique<SimLock>(this, path));
}

}  // namespace tidemark::testing
