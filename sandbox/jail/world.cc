#include "sandbox/jail/world.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>

#include "core/text.h"
#include "sandbox/jail/landlock.h"
#include "sandbox/jail/measure.h"
#include "sandbox/weakened.h"

namespace assay::jail {
namespace {

// Host user ids that no machine gives to people: two for each live worker, made unique by the worker's pid.
constexpr uid_t kHostUidBase = 0x70000000;
constexpr uid_t kZygoteUid = 999;  // inside
constexpr uid_t kBoxUid = 1000;    // inside

constexpr int kNamespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
                            CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// What the zygote still needs, inside of its own user namespace where there is one: the box's user (SETUID, SETGID), ending the
// box (KILL), measuring it (SYS_PTRACE for /proc), reading and removing what it left (DAC_OVERRIDE, FOWNER, CHOWN).
constexpr int kZygoteCaps[] = {CAP_SETUID,       CAP_SETGID, CAP_KILL,  CAP_SYS_PTRACE,
                               CAP_DAC_OVERRIDE, CAP_CHOWN,  CAP_FOWNER};

Error Refused(std::string_view step) {
  int code = errno;
  return Error{ErrorCode::kUnavailable, StrCat("cannot isolate: ", step, ": ", strerror(code)),
               "run `assay doctor` to see what this machine lacks"};
}

bool WriteFile(const std::string& path, std::string_view text) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = write(fd, text.data(), text.size());
  int code = errno;
  close(fd);
  errno = code;
  return n == static_cast<ssize_t>(text.size());
}

bool CreateFile(const std::string& path, std::string_view text) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  ssize_t n = write(fd, text.data(), text.size());
  close(fd);
  return n == static_cast<ssize_t>(text.size());
}

void MakeFolders(const std::string& path) {
  for (size_t i = 1; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '/') mkdir(path.substr(0, i).c_str(), 0755);
  }
}

// One entry of the new root: opened by path before anything is covered, bound by its descriptor.
struct Source {
  std::string path;
  sandbox::Fd fd;
  bool is_folder = false;
  std::string link;  // a symbolic link is made again, not followed
};

constexpr const char* kSystemFolders[] = {"/usr",    "/lib", "/lib64", "/lib32",
                                          "/libx32", "/bin", "/sbin"};
constexpr const char* kEtc[] = {"/etc/ld.so.cache", "/etc/localtime",  "/etc/alternatives",
                                "/etc/python3",     "/etc/python3.11", "/etc/python3.12",
                                "/etc/python3.13",  "/etc/mime.types", "/etc/ssl/openssl.cnf"};
// Younger ones may be on their way to be held.
constexpr time_t kLeftoverAgeS = 60;

// Debian's Java reads its settings from there.
std::vector<std::string> JavaSettings() {
  std::vector<std::string> found;
  glob_t matches = {};
  if (glob("/etc/java-*", GLOB_ONLYDIR, nullptr, &matches) == 0)
    found.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  globfree(&matches);
  return found;
}

constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"};

void AddSource(const std::string& path, std::vector<Source>* sources) {
  Source source;
  source.path = path;
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return;
  if (S_ISLNK(info.st_mode)) {
    char target[4096];
    ssize_t n = readlink(path.c_str(), target, sizeof(target));
    if (n > 0) source.link.assign(target, static_cast<size_t>(n));
  } else {
    source.fd = sandbox::Fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!source.fd.valid()) return;
    source.is_folder = S_ISDIR(info.st_mode);
  }
  sources->push_back(std::move(source));
}

// Packages of a Python that the user named lie anywhere, also below what the new root covers: they are shown elsewhere.
constexpr char kPackages[] = "/opt/packages/";
// So does its standard library; the interpreter wants it in a folder `lib`.
constexpr char kPythonLib[] = "/opt/python/lib";

std::vector<Source> OpenSources(const sandbox::WorkerConfig& config, World* world) {
  std::vector<Source> sources;
  for (const char* path : kSystemFolders) AddSource(path, &sources);
  for (const char* path : kEtc) AddSource(path, &sources);
  for (const std::string& path : JavaSettings()) AddSource(path.c_str(), &sources);
  for (const char* path : kDevices) AddSource(path, &sources);
  for (const std::string& path : config.packages) {
    if (StartsWith(path, "/usr/")) {
      world->packages.push_back(path);
      continue;
    }
    size_t before = sources.size();
    AddSource(path, &sources);
    if (sources.size() == before) continue;
    sources.back().path = StrCat(kPackages, world->packages.size());
    world->packages.push_back(sources.back().path);
  }
  const std::string& library = config.python_library;
  const size_t before = sources.size();
  if (!library.empty()) AddSource(library, &sources);
  if (sources.size() > before) {
    sources.back().path = kPythonLib + library.substr(library.rfind('/'));
    world->python_library = sources.back().path;
  }
  return sources;
}

unsigned long KeptFlags(const char* path) {
  struct statvfs info;
  if (statvfs(path, &info) != 0) return 0;
  unsigned long flags = 0;
  if (info.f_flag & ST_NOSUID) flags |= MS_NOSUID;
  if (info.f_flag & ST_NODEV) flags |= MS_NODEV;
  if (info.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  if (info.f_flag & ST_NOATIME) flags |= MS_NOATIME;
  if (info.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
  if (info.f_flag & ST_RELATIME) flags |= MS_RELATIME;
  return flags;
}

// Read-only, no setuid; submounts are made read-only with it, or, where the kernel cannot do that, left out.
Status BindReadOnly(const Source& source, const std::string& target, bool device) {
  std::string from = StrCat("/proc/self/fd/", source.fd.get());
  bool recursive = false;
  if (mount(from.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    recursive = true;  // locked submounts can only be bound together with their parent
    if (mount(from.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
      return Refused(StrCat("bind ", source.path));
  }
  unsigned long flags = MS_RDONLY | MS_NOSUID | (device ? MS_NOEXEC : MS_NODEV);
  if (recursive) {
    mount_attr attr = {};
    attr.attr_set =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (device ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    if (syscall(SYS_mount_setattr, AT_FDCWD, target.c_str(), AT_RECURSIVE, &attr, sizeof(attr)) !=
        0) {
      return Refused(StrCat("read-only ", source.path));
    }
    return {};
  }
  flags |= MS_REMOUNT | MS_BIND | KeptFlags(target.c_str());
  if (mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0)
    return Refused(StrCat("read-only ", source.path));
  return {};
}

Status PutSource(const Source& source, const std::string& root) {
  std::string target = root + source.path;
  MakeFolders(target.substr(0, target.rfind('/')));
  if (!source.link.empty()) {
    if (symlink(source.link.c_str(), target.c_str()) != 0)
      return Refused(StrCat("link ", source.path));
    return {};
  }
  if (source.is_folder) {
    mkdir(target.c_str(), 0755);
  } else if (!CreateFile(target, "")) {
    return Refused(StrCat("create ", source.path));
  }
  return BindReadOnly(source, target, StartsWith(source.path, "/dev/"));
}

// Files that a program expects in /etc, with nothing of this machine in them.
Status PutSynthetic(const std::string& root) {
  MakeFolders(root + "/etc");
  bool ok =
      CreateFile(root + "/etc/passwd",
                 "root:x:0:0:root:/:/usr/sbin/nologin\nbox:x:1000:1000:box:/tmp:/bin/sh\n"
                 "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n") &&
      CreateFile(root + "/etc/group", "root:x:0:\nbox:x:1000:\nnogroup:x:65534:\n") &&
      CreateFile(root + "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n") &&
      CreateFile(root + "/etc/hosts", "127.0.0.1 localhost\n");
  if (!ok) return Refused("files of /etc");
  ok = symlink("/proc/self/fd", (root + "/dev/fd").c_str()) == 0 &&
       symlink("/proc/self/fd/0", (root + "/dev/stdin").c_str()) == 0 &&
       symlink("/proc/self/fd/1", (root + "/dev/stdout").c_str()) == 0 &&
       symlink("/proc/self/fd/2", (root + "/dev/stderr").c_str()) == 0 &&
       symlink("/tmp", (root + "/dev/shm").c_str()) == 0 &&
       mkdir((root + "/tmp").c_str(), 0755) == 0 && mkdir((root + "/proc").c_str(), 0755) == 0;
  if (!ok) return Refused("folders of the new root");
  return {};
}

// A second /proc, mounted nowhere, that hides nothing: the zygote measures boxes through it, whatever they do to be unreadable.
void OpenOwnProc() {
  sandbox::Fd context(static_cast<int>(syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC)));
  if (!context.valid() ||
      syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return;
  int fd = static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (fd >= 0) SetProcFolder(fd);
}

// A /proc that shows a box its own processes only. Where the kernel refuses (masked /proc of a container), there is none.
bool MountProc(const std::string& target, uint32_t without) {
  if ((without & kWithoutProc) != 0)
    return mount("proc", target.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
  // Read-only: oom_score_adj and its like are files that their process may open for writing.
  unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return mount("proc", target.c_str(), "proc", flags, "subset=pid,hidepid=invisible") == 0;
}

Status BuildRoot(const std::vector<Source>& sources, World* world) {
  const std::string root = "/tmp";
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Refused("private mounts");
  if (mount("assay-root", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
            "size=1m,nr_inodes=512,mode=755") != 0)
    return Refused("tmpfs for the new root");
  for (const Source& source : sources) {
    if (Status put = PutSource(source, root); !put.ok()) return put;
  }
  if (Status put = PutSynthetic(root); !put.ok()) return put;
  world->has_proc = MountProc(root + "/proc", world->without);
  if (world->has_proc) OpenOwnProc();
  if (chdir(root.c_str()) != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
    return Refused("pivot_root");
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return Refused("the old root");
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (mount(nullptr, "/", nullptr, flags, nullptr) != 0) return Refused("read-only root");
  return {};
}

Status KeepOnlyZygoteCaps(const World& world) {
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; ++cap) prctl(PR_CAPBSET_DROP, cap);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return Refused("capabilities");
  uint32_t kept[2] = {};
  for (int cap : kZygoteCaps) kept[cap / 32] |= 1u << (cap % 32);
  // A fresh tmpfs; never where it would be the machine's own.
  if (world.own_pids) kept[CAP_SYS_ADMIN / 32] |= 1u << (CAP_SYS_ADMIN % 32);
  for (int i = 0; i < 2; ++i) data[i].effective = data[i].permitted = data[i].permitted & kept[i];
  data[0].inheritable = data[1].inheritable = 0;
  if (syscall(SYS_capset, &header, data) != 0) return Refused("capabilities");
  return {};
}

// Leaves the user that started us; the capabilities that the zygote needs are kept over the change.
Status BecomeZygoteUser(uid_t id) {
  gid_t none[1];
  if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setgroups(0, none) != 0 || setresgid(id, id, id) != 0 ||
      setresuid(id, id, id) != 0) {
    return Refused("user of the zygote");
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return Refused("capabilities");
  for (auto& word : data) word.effective = word.permitted;
  if (syscall(SYS_capset, &header, data) != 0) return Refused("capabilities");
  return {};
}

// In the zygote, already in its namespaces.
Status EnterNamespaceWorld(const sandbox::WorkerConfig& config, World* world) {
  // Still as the user who started us, who may read what the zygote's may not; and only mounts of this namespace can be bound.
  std::vector<Source> sources = OpenSources(config, world);
  if (world->separate_user) {
    if (Status user = BecomeZygoteUser(kZygoteUid); !user.ok()) return user;
  }
  umask(022);
  if (Status built = BuildRoot(sources, world); !built.ok()) return built;
  world->private_tmp = true;
  if (sethostname("box", 3) != 0) return Refused("host name");
  return {};
}

// In the zygote of a machine without namespaces. The folder for its jobs was made by the worker, who removes it again.
Status EnterPlainWorld(World* world) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return Refused("subreaper");
  if (world->separate_user) {
    if (Status user = BecomeZygoteUser(world->box_uid - 1); !user.ok()) return user;
  }
  umask(022);
  world->has_proc = access("/proc/self/stat", R_OK) == 0;
  return {};
}

// The last words of both: nothing can be gained from here on, and nobody may look into the zygote.
Status SealZygote(const World& world) {
  if (Status kept = KeepOnlyZygoteCaps(world); !kept.ok()) return kept;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Refused("no_new_privs");
  prctl(PR_SET_DUMPABLE, 0);
  return {};
}

// Messages between the worker and its two forks, over one socket pair: errors as text, the pid as a number.
void Tell(int socket, std::string_view text) {
  if (send(socket, text.data(), text.size(), MSG_NOSIGNAL) < 0) _exit(1);
}

std::string Hear(int socket) {
  char buffer[1024];
  ssize_t n;
  do {
    n = recv(socket, buffer, sizeof(buffer), 0);
  } while (n < 0 && errno == EINTR);
  return std::string(buffer, n > 0 ? static_cast<size_t>(n) : 0);
}

Status WriteMaps(pid_t pid, bool as_root, pid_t unique) {
  std::string proc = StrCat("/proc/", static_cast<int64_t>(pid));
  std::string map;
  if (as_root) {
    uid_t host = kHostUidBase + static_cast<uid_t>(unique) * 2;
    map = StrCat(kZygoteUid, " ", host, " 1\n", kBoxUid, " ", host + 1, " 1\n");
    if (!WriteFile(proc + "/uid_map", map) || !WriteFile(proc + "/gid_map", map))
      return Refused("user map");
    return {};
  }
  // An unprivileged user can map nobody but itself.
  if (!WriteFile(proc + "/setgroups", "deny") ||
      !WriteFile(proc + "/uid_map", StrCat(kBoxUid, " ", geteuid(), " 1\n")) ||
      !WriteFile(proc + "/gid_map", StrCat(kBoxUid, " ", getegid(), " 1\n"))) {
    return Refused("user map");
  }
  return {};
}

[[noreturn]] void ZygoteMain(int up, Status entered, World* world,
                             const std::function<int(const World&)>& body) {
  if (entered.ok()) entered = SealZygote(*world);
  // Cleared by the change of user, so it comes after. Without a pid namespace a zygote must outlive its worker: it cleans up.
  if (world->own_pids) prctl(PR_SET_PDEATHSIG, SIGKILL);
  Tell(up, entered.ok() ? "ready" : entered.error().message);
  close(up);
  if (!entered.ok()) _exit(1);
  _exit(body(*world));
}

// The middle process: makes the namespaces, waits for its maps, forks pid 1 of the new pid namespace, and is gone.
[[noreturn]] void MiddleMain(int up, const sandbox::WorkerConfig& config, World* world,
                             const std::function<int(const World&)>& body) {
  if (unshare(kNamespaces) != 0) {
    Tell(up, Refused("namespaces").message);
    _exit(1);
  }
  Tell(up, "maps");
  if (Hear(up) != "go") _exit(1);
  pid_t zygote = fork();
  if (zygote < 0) {
    Tell(up, Refused("fork").message);
    _exit(1);
  }
  if (zygote > 0) {
    Tell(up, StrCat("pid ", static_cast<int64_t>(zygote)));
    _exit(0);
  }
  if (Hear(up) != "start") _exit(1);
  ZygoteMain(up, EnterNamespaceWorld(config, world), world, body);
}

Error FromChild(const std::string& message) {
  return Error{ErrorCode::kUnavailable,
               message.empty() ? "cannot isolate: the zygote died at its start" : message,
               "run `assay doctor` to see what this machine lacks"};
}

struct Sockets {
  sandbox::Fd down;  // the worker's end
  sandbox::Fd up;    // its children's
};

Result<Sockets> MakeSockets() {
  int pair[2];
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return Refused("socket pair");
  }
  return Sockets{sandbox::Fd(pair[0]), sandbox::Fd(pair[1])};
}

void MakeGroups(World* world) {
  if ((world->without & kWithoutGroups) == 0) world->groups->Create();
  for (std::string& layer : world->groups->Layers()) world->layers.push_back(std::move(layer));
}

Result<StartedZygote> StartInNamespaces(const sandbox::WorkerConfig& config,
                                        const std::function<int(const World&)>& body) {
  StartedZygote started;
  World& world = started.world;
  bool as_root = geteuid() == 0;
  world.tier = Tier::kNamespaces;
  world.without = config.without;
  world.separate_user = as_root;
  world.own_pids = true;
  world.box_uid = kBoxUid;
  world.layers = {
      "user namespace=on",
      "pid namespace=on",
      "mount namespace=on: an allow-list of read-only folders",
      "network namespace=on: no interface is up",
      "ipc, uts, cgroup namespaces=on",
      StrCat("separate users=",
             as_root ? "on" : "off: not started as root; the namespaces keep them apart")};
  MakeGroups(&world);
  Result<Sockets> sockets = MakeSockets();
  if (!sockets.ok()) return sockets.error();
  pid_t middle = fork();
  if (middle < 0) return Refused("fork");
  if (middle == 0) {
    sockets->down.Reset();
    MiddleMain(sockets->up.Release(), config, &world, body);
  }
  sockets->up.Reset();
  int down = sockets->down.get();
  std::string said = Hear(down);
  if (said == "maps") {
    if (Status maps = WriteMaps(middle, as_root, getpid()); !maps.ok()) {
      sockets->down.Reset();
      waitpid(middle, nullptr, 0);
      return maps.error();
    }
    Tell(down, "go");
    said = Hear(down);
  }
  waitpid(middle, nullptr, 0);
  if (!StartsWith(said, "pid ")) return FromChild(said);
  started.pid = static_cast<pid_t>(atoi(said.c_str() + 4));
  if (!world.groups->Add(started.pid)) return Refused("control group");
  Tell(down, "start");
  said = Hear(down);
  if (said != "ready") {
    waitpid(started.pid, nullptr, 0);
    return FromChild(said);
  }
  return started;
}

// Landlock, or with `bare` not even that.
// Locked for as long as one of the worker's processes lives, whatever ends them.
void HoldFolder(const char* folder) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) (void)flock(fd, LOCK_SH | LOCK_NB);  // never closed
}

// Folders of workers that were killed before they could clear them: ours, and held by nobody.
void ClearLeftovers() {
  glob_t matches = {};
  if (glob("/tmp/assay-box-??????", GLOB_ONLYDIR, nullptr, &matches) == 0) {
    for (size_t i = 0; i < matches.gl_pathc; ++i) {
      const std::string folder = matches.gl_pathv[i];
      struct stat info;
      if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
      // As root the folder was given to a worker's user.
      const bool ours = info.st_uid == geteuid() || (geteuid() == 0 && info.st_uid >= kHostUidBase);
      if (!ours || time(nullptr) - info.st_mtime < kLeftoverAgeS) continue;
      const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0) continue;
      std::error_code error;
      if (flock(fd, LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(folder, error);
      close(fd);
    }
  }
  globfree(&matches);
}

Result<StartedZygote> StartPlain(bool bare, const sandbox::WorkerConfig& config,
                                 const std::function<int(const World&)>& body) {
  StartedZygote started;
  World& world = started.world;
  bool as_root = geteuid() == 0 && (config.without & kWithoutUsers) == 0;
  int abi = LandlockAbi();
  world.tier = bare ? Tier::kNone : Tier::kLandlock;
  world.without = config.without;
  world.landlock = !bare;
  world.packages = config.packages;
  world.python_library = config.python_library;
  world.separate_user = as_root;
  world.box_uid = as_root ? kHostUidBase + static_cast<uid_t>(getpid()) * 2 + 1 : geteuid();
  if (!bare && abi == 0)
    return Error{ErrorCode::kUnavailable,
                 "cannot isolate: neither user namespaces nor Landlock are to be had", ""};
  if (!bare && !as_root && abi < kLandlockAbiSignals) {
    return Error{ErrorCode::kUnavailable,
                 StrCat("cannot isolate: no user namespaces, and this kernel's Landlock (version ",
                        abi, ") cannot hold back signals"),
                 ""};
  }
  world.layers = {"namespaces=off",
                  StrCat("landlock=", bare ? std::string("off") : StrCat("version ", abi)),
                  StrCat("separate users=", as_root ? "on" : "off: not started as root")};
  MakeGroups(&world);
  ClearLeftovers();
  char folder[] = "/tmp/assay-box-XXXXXX";
  if (mkdtemp(folder) == nullptr || chmod(folder, 0711) != 0 ||
      (as_root && chown(folder, world.box_uid - 1, world.box_uid - 1) != 0)) {
    return Refused("folder for the jobs");
  }
  world.scratch = StrCat(folder, "/box");
  HoldFolder(folder);
  Result<Sockets> sockets = MakeSockets();
  if (!sockets.ok()) return sockets.error();
  started.pid = fork();
  if (started.pid < 0) return Refused("fork");
  if (started.pid == 0) {
    sockets->down.Reset();
    const int up = sockets->up.Release();
    if (Hear(up) != "start") _exit(1);
    ZygoteMain(up, EnterPlainWorld(&world), &world, body);
  }
  sockets->up.Reset();
  if (!world.groups->Add(started.pid)) return Refused("control group");
  Tell(sockets->down.get(), "start");
  std::string said = Hear(sockets->down.get());
  if (said == "ready") return started;
  waitpid(started.pid, nullptr, 0);
  rmdir(folder);
  return FromChild(said);
}

}  // namespace

int64_t TasksBeside(const World& world) {
  constexpr int64_t kComeAndGo = 64;
  // A user namespace counts for itself.
  if (world.separate_user || world.own_pids) return 0;
  return TasksOfUser(world.box_uid) + kComeAndGo;
}

std::vector<std::string> ReadOnlyPaths(const World& world) {
  std::vector<std::string> list(std::begin(kSystemFolders), std::end(kSystemFolders));
  list.insert(list.end(), std::begin(kEtc), std::end(kEtc));
  for (std::string& path : JavaSettings()) list.push_back(std::move(path));
  list.insert(list.end(), world.packages.begin(), world.packages.end());
  if (!world.python_library.empty()) list.push_back(world.python_library);
  return list;
}

std::string WorldText(const World& world) {
  std::string text = StrCat("isolation: ", TierName(world.tier), "\nread-only:");
  for (const std::string& path : ReadOnlyPaths(world)) {
    if (access(path.c_str(), F_OK) == 0) StrAppend(&text, " ", path);
  }
  text += "\ndevices:";
  for (const char* path : kDevices) StrAppend(&text, " ", path);
  StrAppend(&text, "\nwritable: ", world.scratch,
            world.private_tmp ? " (a tmpfs, empty before each job)"
                              : " (a folder, empty before each job)",
            "\nlayers:\n");
  for (const std::string& layer : world.layers) StrAppend(&text, "  ", layer, "\n");
  return text + "system calls:\n";
}

Result<StartedZygote> StartZygote(const sandbox::WorkerConfig& config,
                                  const std::function<int(const World&)>& body) {
  auto wants = [&](Tier tier) { return config.isolation == 1 + static_cast<uint8_t>(tier); };
  if (wants(Tier::kNone)) return StartPlain(true, config, body);
  if (wants(Tier::kLandlock)) return StartPlain(false, config, body);
  Result<StartedZygote> best = StartInNamespaces(config, body);
  if (best.ok() || wants(Tier::kNamespaces)) return best;
  Result<StartedZygote> second = StartPlain(false, config, body);
  if (second.ok()) return second;
  return Error{ErrorCode::kUnavailable, StrCat(best.error().message, "; ", second.error().message),
               ""};
}

}  // namespace assay::jail
