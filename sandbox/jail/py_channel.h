// Frames on the two pipes between a box and its tester: a 32-bit little-endian length, then a kind and a body. Requests go
// from the tester to the box, answers back; while it works on a request the box may call back functions that a test handed
// over. Blocking; one thread. Neither side trusts a length: the tester's bound is TransferLimits::bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::jail {

enum class Frame : char {
  kLoaded = 'L',   // box: the program has been run; status, type, message, line
  kRequest = '?',  // tester: operation, number, handle, name, arguments
  kAnswer = '=',   // number, value, what became of the arguments
  kRaised =
      '!',  // number, whether it was an exit, type, message, line, the exception's parts (py_candidate.cc)
  kCallback = 'C',  // box: number, function or iterator of the tester's, arguments
};

// What may be asked of a handle, or (handle 0) of the program's globals. Comparison, arithmetic, `in`, hash and format are not
// here, and that is the point.
enum class Operation : uint8_t {
  kGlobals = 1,  // arguments: names; the answer: a tuple of (found, value)
  kCall = 2,
  kGetAttribute = 3,
  kSetAttribute = 4,
  kIterate = 5,
  kNext =
      6,  // the answer: a tuple of one; at the end of none, or of None and what a generator returned
  kLength = 7,
  kTruth = 8,
  kGetItem = 9,
  kSetItem = 10,
  kDeleteItem = 11,
  kIsInstance = 12,
  kExit = 13,  // join threads, run exit functions; nothing is asked afterwards
  kIsSubclass = 14,
  kSend = 15,   // to a generator; answered as kNext is
  kAwait = 16,  // runs a coroutine to its end
  kCapture =
      17,  // argument: true to keep what is printed from now on, false to stop; the answer: the text
  kSetup =
      18,  // before the program: marshalled statements of the setup, the entry point, and, for tests
           // that run beside the program, what is needed for them before it is loaded (else None)
  kBeside = 19,  // argument: what py_beside.py's run() wants; the answer: its report
};

enum class LoadStatus : uint8_t { kOk = 0, kSyntaxError = 1, kException = 2, kExit = 3 };

enum class ReadStatus : uint8_t { kOk, kClosed, kTooLarge };

// Whole frames. EINTR is retried after `interrupted` (may be null) has been called.
bool WriteFrame(int fd, std::string_view body);
ReadStatus ReadFrame(int fd, size_t max_bytes, std::string* body, void (*interrupted)());

}  // namespace assay::jail
