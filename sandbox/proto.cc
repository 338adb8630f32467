#include "sandbox/proto.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace assay::sandbox {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Writer::I64(int64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  out_.append(bytes, 8);
}

void Writer::F64(double value) {
  int64_t bits;
  memcpy(&bits, &value, 8);
  I64(bits);
}

void Writer::Bytes(std::string_view bytes) {
  I64(static_cast<int64_t>(bytes.size()));
  out_.append(bytes);
}

void Writer::Strings(const std::vector<std::string>& list) {
  I64(static_cast<int64_t>(list.size()));
  for (const std::string& item : list) Bytes(item);
}

std::string_view Reader::Take(size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

uint8_t Reader::U8() {
  std::string_view byte = Take(1);
  return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
}

int64_t Reader::I64() {
  std::string_view bytes = Take(8);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return static_cast<int64_t>(value);
}

double Reader::F64() {
  int64_t bits = I64();
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

std::string_view Reader::Bytes() {
  int64_t size = I64();
  if (size < 0) ok_ = false;
  return ok_ ? Take(static_cast<size_t>(size)) : std::string_view();
}

std::vector<std::string> Reader::Strings() {
  std::vector<std::string> list;
  for (int64_t left = I64(); ok_ && left > 0; --left) list.emplace_back(Bytes());
  return list;
}

namespace {

bool WriteAll(int socket, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = send(socket, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool ReadAll(int socket, char* data, size_t size) {
  while (size > 0) {
    ssize_t n = recv(socket, data, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

constexpr size_t kHeaderBytes = 8;

void WriteLimits(const Limits& limits, Writer* out) {
  for (int64_t value :
       {limits.cpu_ms, limits.wall_ms, limits.memory_mib, limits.processes, limits.output_bytes,
        limits.files, limits.disk_mib, limits.stack_mib, limits.open_files, limits.tester_cpu_ms,
        limits.tester_memory_mib, limits.compile_cpu_ms}) {
    out->I64(value);
  }
}

void ReadLimits(Reader* in, Limits* limits) {
  for (int64_t* value : {&limits->cpu_ms, &limits->wall_ms, &limits->memory_mib, &limits->processes,
                         &limits->output_bytes, &limits->files, &limits->disk_mib,
                         &limits->stack_mib, &limits->open_files, &limits->tester_cpu_ms,
                         &limits->tester_memory_mib, &limits->compile_cpu_ms}) {
    *value = in->I64();
  }
}

std::vector<std::string_view> ReadViews(Reader* in) {
  std::vector<std::string_view> list;
  for (int64_t left = in->I64(); in->ok() && left > 0; --left) list.push_back(in->Bytes());
  return list;
}

}  // namespace

bool SendFrame(int socket, FrameType type, std::string_view payload, const int* fds, int fd_count) {
  if (payload.size() > kMaxFrameBytes || fd_count > kMaxFrameFds) return false;
  char header[kHeaderBytes] = {};
  uint32_t size = static_cast<uint32_t>(payload.size());
  memcpy(header, &size, 4);
  header[4] = static_cast<char>(type);
  header[5] = static_cast<char>(fd_count);
  iovec parts[2] = {{header, kHeaderBytes}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = payload.empty() ? 1 : 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFrameFds)] = {};
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* cmsg = CMSG_FIRSTHDR(&message);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent <= 0) return false;
  size_t done = static_cast<size_t>(sent);
  if (done < kHeaderBytes) {
    if (!WriteAll(socket, header + done, kHeaderBytes - done)) return false;
    done = kHeaderBytes;
  }
  return WriteAll(socket, payload.data() + (done - kHeaderBytes),
                  payload.size() - (done - kHeaderBytes));
}

bool ReceiveFrame(int socket, Frame* frame) {
  char header[kHeaderBytes];
  iovec part = {header, kHeaderBytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFrameFds)];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received;
  do {
    received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received <= 0) return false;
  frame->fds.clear();
  for (cmsghdr* cmsg = CMSG_FIRSTHDR(&message); cmsg != nullptr;
       cmsg = CMSG_NXTHDR(&message, cmsg)) {
    if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
      frame->fds.emplace_back(fd);
    }
  }
  size_t got = static_cast<size_t>(received);
  if (got < kHeaderBytes && !ReadAll(socket, header + got, kHeaderBytes - got)) return false;
  uint32_t size;
  memcpy(&size, header, 4);
  if (size > kMaxFrameBytes || static_cast<size_t>(header[5]) != frame->fds.size()) return false;
  frame->type = static_cast<FrameType>(header[4]);
  frame->payload.resize(size);
  return ReadAll(socket, frame->payload.data(), size);
}

std::string WorkerConfig::Encode() const {
  Writer out;
  out.I64(kProtoVersion);
  out.U8(static_cast<uint8_t>(role));
  out.I64(slot);
  out.U8(isolation);
  out.Strings(packages);
  out.Strings(preimport);
  out.Bytes(python_library);
  out.I64(without);
  return out.bytes();
}

bool WorkerConfig::Decode(std::string_view bytes, WorkerConfig* out) {
  Reader in(bytes);
  if (in.I64() != kProtoVersion) return false;
  out->role = static_cast<Role>(in.U8());
  out->slot = in.I64();
  out->isolation = in.U8();
  out->packages = in.Strings();
  out->preimport = in.Strings();
  out->python_library = in.Bytes();
  out->without = static_cast<uint32_t>(in.I64());
  return in.ok();
}

std::string WorkerHello::Encode() const {
  Writer out;
  out.Bytes(error);
  out.U8(tier);
  out.Bytes(python_version);
  out.Strings(layers);
  out.Bytes(policy);
  return out.bytes();
}

bool WorkerHello::Decode(std::string_view bytes, WorkerHello* out) {
  Reader in(bytes);
  out->error = in.Bytes();
  out->tier = in.U8();
  out->python_version = in.Bytes();
  out->layers = in.Strings();
  out->policy = in.Bytes();
  return in.ok();
}

std::string RunRequest::Encode() const {
  Writer out;
  out.U8(static_cast<uint8_t>(kind));
  out.U8(allow_exec ? 1 : 0);
  out.U8(measure ? 1 : 0);
  out.U8(exact ? 1 : 0);
  out.I64(cpu);
  WriteLimits(limits, &out);
  out.Bytes(source);
  out.Strings(args);
  out.Strings(files);
  out.Strings(collect);
  return out.bytes();
}

bool RunRequestView::Decode(std::string_view bytes, RunRequestView* out) {
  Reader in(bytes);
  out->kind = static_cast<RunKind>(in.U8());
  out->allow_exec = in.U8() != 0;
  out->measure = in.U8() != 0;
  out->exact = in.U8() != 0;
  out->cpu = in.I64();
  ReadLimits(&in, &out->limits);
  out->source = in.Bytes();
  out->args = ReadViews(&in);
  out->files = ReadViews(&in);
  out->collect = ReadViews(&in);
  return in.ok();
}

std::string RunReport::Encode() const {
  Writer out;
  out.Bytes(fault);
  out.U8(cause);
  out.I64(exit_code);
  out.I64(signal);
  out.F64(cpu_ms);
  out.F64(wall_ms);
  out.I64(peak_memory_kib);
  out.I64(process_peak);
  out.F64(run_delay_share);
  out.I64(bytecodes);
  out.U8(ended_by_us ? 1 : 0);
  out.Strings(collected);
  return out.bytes();
}

bool RunReport::Decode(std::string_view bytes, RunReport* out) {
  Reader in(bytes);
  out->fault = in.Bytes();
  out->cause = in.U8();
  out->exit_code = in.I64();
  out->signal = in.I64();
  out->cpu_ms = in.F64();
  out->wall_ms = in.F64();
  out->peak_memory_kib = in.I64();
  out->process_peak = in.I64();
  out->run_delay_share = in.F64();
  out->bytecodes = in.I64();
  out->ended_by_us = in.U8() != 0;
  out->collected = in.Strings();
  return in.ok();
}

std::string ServeRequest::Encode() const {
  Writer out;
  out.Bytes(key);
  out.U8(has_spec ? 1 : 0);
  out.Bytes(spec);
  out.Bytes(request);
  out.I64(cpu);
  WriteLimits(limits, &out);
  return out.bytes();
}

bool ServeRequest::Decode(std::string_view bytes, ServeRequest* out) {
  Reader in(bytes);
  out->key = in.Bytes();
  out->has_spec = in.U8() != 0;
  out->spec = in.Bytes();
  out->request = in.Bytes();
  out->cpu = in.I64();
  ReadLimits(&in, &out->limits);
  return in.ok();
}

std::string ServeReport::Encode() const {
  Writer out;
  out.Bytes(fault);
  out.U8(cause);
  out.F64(cpu_ms);
  out.F64(run_delay_ms);
  out.U8(needs_spec ? 1 : 0);
  return out.bytes();
}

bool ServeReport::Decode(std::string_view bytes, ServeReport* out) {
  Reader in(bytes);
  out->fault = in.Bytes();
  out->cause = in.U8();
  out->cpu_ms = in.F64();
  out->run_delay_ms = in.F64();
  out->needs_spec = in.U8() != 0;
  return in.ok();
}

}  // namespace assay::sandbox
