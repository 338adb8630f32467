// What stands around one attack: things of this machine that a box must not reach, all of them the red team's own (a folder in
// /tmp, listeners on this machine's loopback, a process that sleeps). Made from the placeholders that a program uses, looked at after it
// ran, removed at the end. One thread each.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sandbox/proto.h"

namespace assay::redteam {

// A random word of this run, never given to a program: it is in @FILE@, in our environment and in the sleeper's, the sleeper's own name too, and a breach if
// it comes out of a box.
const std::string& Loot();

class Stage {
 public:
  Stage() = default;
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // The program with its placeholders filled in, and what they name made:
  //   @FILE@ a file with the loot, for all to read       @OPEN@ a folder with note.txt, for all to write
  //   @TCP@ @TCP6@ @UDP@ ports of listeners              @UNIX@ @ABSTRACT@ a socket's path, a socket's abstract name
  //   @VICTIM@ a process that sleeps                     @MARK@ a process name that only this stage has
  // Errors: kUnavailable, for what this machine does not have.
  Result<std::string> Fill(std::string program);

  // What has happened since: names of breaches. Looks again where one look could miss something that moves (a process that becomes
  // another one, a signal on its way); where `expected` is named, until it is seen or seconds have passed.
  std::set<std::string> Look(std::string_view expected = "");

 private:
  Status MakeFolder();
  Status Listen(int family, int type, std::string* name);
  Status MakeVictim();
  void LookOnce(std::set<std::string>* seen);
  Result<std::string> ValueOf(std::string_view placeholder);

  std::map<std::string, std::string> values_;  // of the placeholders used so far
  std::string folder_;
  std::string before_;  // what the folder held
  std::vector<sandbox::Fd> listeners_;
  pid_t victim_ = -1;
  std::string mark_;
};

}  // namespace assay::redteam
