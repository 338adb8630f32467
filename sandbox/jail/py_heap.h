// What a fork of the zygote costs, made smaller before the first one. Single-threaded; the interpreter has been started.
#pragma once

namespace assay::jail {

// Before the interpreter starts: its arenas will lie side by side.
void PlaceArenas();

// When everything is loaded. What a child writes to is copied for it page by page, some two microseconds each, and every page
// that there is costs the fork and the child's end some hundred nanoseconds. So:
//  - the free places that lie scattered between what the zygote has in memory are taken, for good: what a child makes lies close
//    together, and what the zygote itself makes later lies apart from it;
//  - what fills huge pages becomes such. Nothing that a child makes later does;
//  - the code of the interpreter and of what it stands on is mapped in a child from the start, as far as the zygote has run it: else
//    each child asks for it again, sixteen pages at a time. `often`: whether there will be a fork for each job. Then the
//    interpreter's code and constants are moved to huge pages first, where its constants may share one with code and so be
//    executable, which in a box, whose program may map what it likes, takes nothing away.
void PackHeap(bool often);

}  // namespace assay::jail
