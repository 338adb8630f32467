// The text of inprocess_runner.py, which runs tests beside a program in one box.
#pragma once

namespace assay {

extern const char kInProcessRunner[];

}  // namespace assay
