// What a fork of the zygote costs, made smaller before the first one. Single-threaded; the interpreter has been started.
#pragma once

namespace assay::jail {

// Takes the free places that lie scattered between what the zygote has in memory, in the interpreter's small blocks and in
// libc's heap. What a child makes then lies close together: each page on which it writes is copied for it, at some two
// microseconds. A few hundred KiB are never given back.
void FillHoles();

}  // namespace assay::jail
