#include "sandbox/supervise/socket_arguments.h"

#include <asm/unistd.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "sandbox/supervise/program_memory.h"

namespace cordon::sandbox {
namespace {

struct Bytes {
  uint64_t address = 0;
  uint64_t length = 0;
};

pid_t ThreadOf(const seccomp_notif& notification) {
  return static_cast<pid_t>(notification.pid);
}

// sendmmsg(2) has its first message where sendmsg(2) has its only one.
std::optional<msghdr> CopyHeader(const seccomp_notif& notification) {
  msghdr header = {};
  if (!ReadProgramBytes(ThreadOf(notification), notification.data.args[1],
                        &header, sizeof(header))) {
    return std::nullopt;
  }
  return header;
}

// The kernel takes lengths as 32 bits, and a null pointer for no name at all.
std::optional<Bytes> NameIn(const seccomp_notif& notification) {
  const auto& args = notification.data.args;
  if (notification.data.nr == __NR_sendto) {
    return Bytes{args[4], args[4] == 0 ? 0 : args[5] & UINT32_MAX};
  }
  if (!Sends(notification)) return Bytes{args[1], args[2] & UINT32_MAX};
  const std::optional<msghdr> header = CopyHeader(notification);
  if (!header.has_value()) return std::nullopt;
  return Bytes{reinterpret_cast<uint64_t>(header->msg_name),
               header->msg_name == nullptr ? 0 : header->msg_namelen};
}

std::vector<Bytes> PiecesOf(const seccomp_notif& notification) {
  if (notification.data.nr == __NR_sendto) {
    return {{notification.data.args[1], notification.data.args[2]}};
  }
  const std::optional<msghdr> header = CopyHeader(notification);
  if (!header.has_value()) return {};
  // Each may be a page that is on a disk yet, and this is everybody's thread.
  constexpr size_t kMostPieces = 4;
  std::vector<iovec> vectors(std::min<size_t>(header->msg_iovlen, kMostPieces));
  if (!vectors.empty() &&
      !ReadProgramBytes(ThreadOf(notification),
                        reinterpret_cast<uint64_t>(header->msg_iov),
                        vectors.data(), vectors.size() * sizeof(iovec))) {
    return {};
  }
  // So that nothing at all is told from what cannot be read.
  std::vector<Bytes> pieces(1);
  for (const iovec& piece : vectors) {
    pieces.push_back(
        {reinterpret_cast<uint64_t>(piece.iov_base), piece.iov_len});
  }
  return pieces;
}

}  // namespace

CopiedAddress CopyAddress(const seccomp_notif& notification) {
  const std::optional<Bytes> name = NameIn(notification);
  if (!name.has_value()) return {.error_number = EFAULT};
  sockaddr_storage storage = {};
  if (name->length > sizeof(storage) ||
      name->length < sizeof(storage.ss_family)) {
    return {.error_number = EINVAL};
  }
  if (!ReadProgramBytes(ThreadOf(notification), name->address, &storage,
                        name->length)) {
    return {.error_number = EFAULT};
  }
  CopiedAddress copied;
  copied.family = storage.ss_family;
  copied.internet = ParseInternetAddress(storage, name->length);
  copied.unix_name = ParseUnixAddress(storage, name->length);
  if (!copied.internet.has_value() &&
      (copied.family == AF_INET || copied.family == AF_INET6)) {
    copied.error_number = EINVAL;
  }
  return copied;
}

bool Sends(const seccomp_notif& notification) {
  const int number = notification.data.nr;
  return number == __NR_sendto || number == __NR_sendmsg ||
         number == __NR_sendmmsg;
}

int SendFlags(const seccomp_notif& notification) {
  const auto& args = notification.data.args;
  return static_cast<int>(notification.data.nr == __NR_sendmsg ? args[2]
                                                               : args[3]);
}

uint64_t MessageCount(const seccomp_notif& notification) {
  return notification.data.nr == __NR_sendmmsg
             ? notification.data.args[2] & UINT32_MAX
             : 1;
}

std::optional<std::string> CopyData(const seccomp_notif& notification,
                                    size_t most) {
  const std::vector<Bytes> pieces = PiecesOf(notification);
  if (pieces.empty()) return std::nullopt;
  std::string data;
  for (const Bytes& piece : pieces) {
    const size_t begin = data.size();
    const size_t size = std::min<uint64_t>(piece.length, most - begin);
    if (size == 0) continue;
    data.resize(begin + size);
    if (!ReadProgramBytes(ThreadOf(notification), piece.address, &data[begin],
                          size)) {
      return std::nullopt;
    }
  }
  return data;
}

}  // namespace cordon::sandbox
