// The front door that `assay` and `assay-train` share: the global options, and from a command line to an exit code. Their
// subcommands are added in between. Single-threaded.
#pragma once

namespace CLI {
class App;
}

namespace assay {

struct Context;
struct GlobalOptions;

// Every option that may stand before or behind any subcommand, with its environment variable.
void AddGlobalOptions(CLI::App* app, GlobalOptions* global);

// `help [COMMAND ..]`, which says what `COMMAND .. --help` says.
void AddHelpCommand(CLI::App* app, Context* context);

// Parses, then runs what the chosen subcommand put into context->run; SIGINT and SIGTERM set context->interrupted, a second one
// ends the process. Help and version go to stdout, an error in the command line to stderr with the nearest name as a hint.
int ParseAndRun(CLI::App* app, Context* context, int argc, char** argv);

}  // namespace assay
