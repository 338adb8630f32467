// The Python side of the judge, as the jail calls it: one function for the box, two for the tester. Everything runs with the
// interpreter already initialised by the zygote (jail/py_runtime.h), in a forked, boxed, single process: no locks, no
// threads of ours. Nothing here knows of namespaces, limits or the parent's protocol; those are the jail's.
//
//   box (candidate's side)                                tester's side
//   ---------------------                                 -------------
//   RunCandidate(requests, answers, spec)  <- two pipes ->  TesterServe(answers, requests, result, request)
//                                                                 `-> result: bytes to the parent, whole
//
// The pipes are fresh for every completion, blocking. The bytes of spec and request are written by
// verifiers/code; their layout is agreed in jail/judge_spec.h. Prepare*Zygote import what most programs use; RLIMIT_STACK must
// be set before the zygote is exec'd, for the main thread's room is laid out then.
#pragma once

#include <string_view>

namespace assay::jail {

// In the candidate zygote, once, before any fork: what the harness needs in memory (types, interned names). It must put
// nothing of any tester there. False with the reason printed to stderr.
bool PrepareCandidateZygote();
// The same for the tester zygote.
bool PrepareTesterZygote();

// In the boxed child, after EnterBox(): defines the candidate's program from `spec` and serves requests until their pipe is closed.
// Returns the exit code; the caller flushes and _exits. Standard output belongs to the program alone.
int RunCandidate(int requests_fd, int answers_fd, std::string_view spec);

// In a fresh tester process, before anybody waits for it: touches, and so copies, the pages that every problem needs.
void TesterWarmUp();
// In a tester process that is as new, once per problem: compiles the trusted text. Errors are remembered and told by every
// TesterServe (a test that does not compile blames the data set).
void TesterPrepare(std::string_view spec);

// What a tester may do next. The numbers are those of py_tester.py.
enum class TesterIs : char {
  kWorn = 0,   // nothing
  kOfOne = 1,  // judge more completions of its problem
  kAsNew = 2,  // that, or take another problem: its tests can have left nothing behind
};
// Judges one completion: fresh namespace, restored modules. Writes the whole result (at most kMaxJudgeResultBytes) to
// `result_fd`; the caller closes the descriptors.
TesterIs TesterServe(int answers_fd, int requests_fd, int result_fd, std::string_view request);

}  // namespace assay::jail
