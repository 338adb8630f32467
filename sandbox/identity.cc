#include "sandbox/identity.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/proto.h"

namespace assay::sandbox {
namespace {

constexpr const char* kProgramFolders[] = {"/usr/local/bin/", "/usr/bin/", "/bin/"};
constexpr const char* kPackageParents[] = {"/usr/lib/python3", "/usr/local/lib"};

std::string StatText(const std::string& path, const struct stat& info) {
  return StrCat(path, " ", int64_t{info.st_size}, " ", int64_t{info.st_mtim.tv_sec}, ".",
                int64_t{info.st_mtim.tv_nsec});
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  DIR* open = opendir(folder.c_str());
  while (dirent* entry = open == nullptr ? nullptr : readdir(open)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (open != nullptr) closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

void AddPackages(const std::string& folder, std::vector<std::string>* out) {
  for (const std::string& name : NamesIn(folder)) {
    struct stat info;
    const std::string path = StrCat(folder, "/", name);
    if (name != "__pycache__" && stat(path.c_str(), &info) == 0)
      out->push_back(StatText(path, info));
  }
}

}  // namespace

std::string SizedText(const std::vector<std::vector<std::string>>& lists) {
  std::string text;
  for (const std::vector<std::string>& list : lists) {
    StrAppend(&text, list.size(), "[");
    for (const std::string& item : list) StrAppend(&text, item.size(), ":", item);
    text += "]";
  }
  return text;
}

std::string FileIdentity(const std::string& path) {
  Result<std::string> bytes = ReadFile(path);
  return bytes.ok() ? HashBytes128(*bytes).Hex() : "";
}

std::string ProgramIdentity(const std::string& name) {
  struct stat info;
  for (const char* folder : kProgramFolders) {
    const std::string path = StrCat(folder, name);
    if (stat(path.c_str(), &info) == 0) return StatText(path, info);
  }
  return "";
}

std::vector<std::string> PackagesIdentity(const std::vector<std::string>& folders) {
  std::vector<std::string> found;
  for (const std::string& folder : folders) AddPackages(folder, &found);
  for (const char* parent : kPackageParents) {
    AddPackages(StrCat(parent, "/dist-packages"), &found);
    for (const std::string& name : NamesIn(parent)) {
      if (!StartsWith(name, "python3")) continue;
      AddPackages(StrCat(parent, "/", name, "/dist-packages"), &found);
      AddPackages(StrCat(parent, "/", name, "/site-packages"), &found);
    }
  }
  return found;
}

std::string EncodeArtifacts(const std::vector<std::string>& artifacts) {
  Writer writer;
  writer.Strings(artifacts);
  return writer.bytes();
}

bool DecodeArtifacts(std::string_view bytes, const std::vector<std::string>& names,
                     std::vector<std::string>* artifacts) {
  Reader reader(bytes);
  std::vector<std::string> read = reader.Strings();
  if (!reader.ok() || read.size() != 2 * names.size()) return false;
  for (size_t i = 0; i < names.size(); ++i) {
    if (read[2 * i] != names[i]) return false;
  }
  *artifacts = std::move(read);
  return true;
}

}  // namespace assay::sandbox
