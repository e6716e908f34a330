// What goes into a program and comes out of it, as it comes.

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "sandbox/supervise/supervision.h"

namespace cordon::sandbox {
namespace {

// What is written to a pipe at once: its default capacity (pipe(7)).
constexpr size_t kChunkBytes = 65536;

// What a pipe holds whose program has printed kMuchBytes, and how much of it is
// read at once: the more, the less often the two wait for each other.
constexpr int kLargePipeBytes = 512 << 10;
constexpr size_t kMostAtOnce = 256 << 10;
constexpr uint64_t kMuchBytes = uint64_t{1} << 20;

// As read(2). Where a whole write was there, the next may be by now: what comes
// faster than it can be sent goes in few messages.
ssize_t ReadWhatIsThere(int fd, char* buffer, size_t capacity) {
  const ssize_t first = read(fd, buffer, capacity);
  if (first < static_cast<ssize_t>(kChunkBytes)) return first;
  auto size = static_cast<size_t>(first);
  while (size < capacity) {
    const ssize_t more = read(fd, buffer + size, capacity - size);
    if (more <= 0) break;  // The next look says what that is.
    size += static_cast<size_t>(more);
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

void Supervision::OnStdinWritable(uint32_t) {
  if (!stdin_.fd.valid()) return;
  const std::string& data = plan_.stdin_data;
  while (stdin_written_ < data.size()) {
    const ssize_t size =
        write(stdin_.fd.get(), data.data() + stdin_written_,
              std::min<size_t>(data.size() - stdin_written_, kChunkBytes));
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) break;  // EPIPE: the program reads no more; not an error.
    stdin_written_ += static_cast<uint64_t>(size);
  }
  Close(stdin_);
}

void Supervision::OnStdout(uint32_t) {
  ReadPipe(stdout_);
  FinishIfDrained();
}

void Supervision::OnStderr(uint32_t) {
  ReadPipe(stderr_);
  FinishIfDrained();
}

void Supervision::ReadPipe(Pipe& pipe) {
  if (!pipe.source.fd.valid() || paused_) return;
  static thread_local char chunk[kMostAtOnce];
  const ssize_t size =
      ReadWhatIsThere(pipe.source.fd.get(), chunk, sizeof(chunk));
  if (size < 0 && (errno == EINTR || (errno == EAGAIN && !all_reaped_))) return;
  if (size <= 0) {
    // End of file; or, with every process gone, nothing that could come.
    Close(pipe.source);
    return;
  }
  const bool was_little = pipe.capture.total() < kMuchBytes;
  Deliver(pipe, pipe.capture.Accept({chunk, static_cast<size_t>(size)}));
  // A user over its quota keeps the small one (fcntl(2), F_SETPIPE_SZ).
  if (was_little && pipe.capture.total() >= kMuchBytes) {
    fcntl(pipe.source.fd.get(), F_SETPIPE_SZ, kLargePipeBytes);
  }
  if (pipe.capture.over_limit() &&
      pipe.capture.mode() == OutputMode::kTerminate) {
    EndRun(OutputCause(plan_.limits, pipe.stream == OutputStream::kStdout
                                         ? "standard output"
                                         : "standard error"));
  }
}

void Supervision::Deliver(const Pipe& pipe, OutputCapture::Piece piece) {
  if (piece.data.empty()) return;
  SetPaused(observer_->OnOutput(pipe.stream, piece.data, piece.offset));
}

void Supervision::DeliverTail(Pipe& pipe) {
  while (!paused_) {
    const OutputCapture::Piece piece = pipe.capture.TakeTailPiece(kChunkBytes);
    if (piece.data.empty()) return;
    Deliver(pipe, piece);
  }
}

// A paused pipe is not watched at all: a hang-up cannot be masked
// (epoll_ctl(2)).
void Supervision::SetPaused(Flow flow) {
  const bool pause = flow == Flow::kPause;
  if (pause == paused_ || finished_) return;
  paused_ = pause;
  for (Pipe* pipe : {&stdout_, &stderr_}) {
    if (pause) {
      Unwatch(pipe->source);
    } else {
      Watch(pipe->source, EPOLLIN);
    }
  }
  if (!pause) FinishIfDrained();
}

}  // namespace cordon::sandbox
