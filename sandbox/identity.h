// What keys of caches are made of: which jail, compiler and packages a machine has, as text that changes when they do; and the
// one encoding of lists of strings that cannot be read two ways. Pure but for looking at files; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::sandbox {

// Every string with its length, every list with its count.
std::string SizedText(const std::vector<std::vector<std::string>>& lists);

// The hash of the file's bytes; "" if it cannot be read.
std::string FileIdentity(const std::string& path);
// Where on the usual path of a box the program lies, its size and time of change; "" if it is not there.
std::string ProgramIdentity(const std::string& name);
// The names in these folders and in the system's own folders of Python packages, with their times: a package that is installed,
// removed or replaced changes them.
std::vector<std::string> PackagesIdentity(const std::vector<std::string>& folders);

// Files that a compile step left (path, bytes, path, bytes, ...), as bytes and back. Decode is false unless they are
// exactly the files of these names.
std::string EncodeArtifacts(const std::vector<std::string>& artifacts);
bool DecodeArtifacts(std::string_view bytes, const std::vector<std::string>& names,
                     std::vector<std::string>* artifacts);

}  // namespace assay::sandbox
