#include "grpo/files/remove_tree.h"

#include <ftw.h>

#include <cstdio>

namespace assay {
namespace {

constexpr int kOpenFolders = 16;

int RemoveOne(const char* path, const struct stat*, int, struct FTW*) {
  (void)std::remove(path);
  return 0;
}

}  // namespace

void RemoveTree(const std::string& path) {
  (void)nftw(path.c_str(), RemoveOne, kOpenFolders, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

}  // namespace assay
