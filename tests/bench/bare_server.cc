#include "tests/bench/bare_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "proto/cordon/v1/execution.grpc.pb.h"
#include "sandbox/base/unique_fd.h"
#include "tests/bench/bench_runs.h"

namespace cordon::bench {
namespace {

// The reading end of a program's standard output.
sandbox::UniqueFd StartProgram(const v1::Command& command, pid_t& pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  const sandbox::UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : command.argv()) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  if (posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) !=
      0) {
    Die("posix_spawn failed");
  }
  posix_spawn_file_actions_destroy(&actions);
  return sandbox::UniqueFd(ends[0]);
}

class Stream : public grpc::ServerWriteReactor<v1::ExecuteResponse> {
 public:
  explicit Stream(const v1::ExecuteRequest& request)
      : left_(request.limits().output_bytes()),
        chunk_(request.limits().file_bytes(), '\0') {
    if (request.has_command()) reader_ = StartProgram(request.command(), pid_);
    Write();
  }

  void OnWriteDone(bool ok) override { ok ? Write() : Finish({}); }
  void OnDone() override {
    reader_.Reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    delete this;
  }

 private:
  void Write() {
    const size_t size = NextChunk();
    if (size == 0) return Finish(grpc::Status::OK);
    v1::Output& output = *response_.mutable_output();
    output.set_data(chunk_.data(), size);
    output.set_offset(offset_);
    offset_ += size;
    left_ -= size;
    StartWrite(&response_);
  }

  size_t NextChunk() {
    const size_t most = std::min<uint64_t>(left_, chunk_.size());
    if (most == 0 || !reader_.valid()) return most;
    const ssize_t size = read(reader_.get(), chunk_.data(), most);
    return size > 0 ? static_cast<size_t>(size) : 0;
  }

  uint64_t left_;
  uint64_t offset_ = 0;
  std::string chunk_;
  sandbox::UniqueFd reader_;
  pid_t pid_ = -1;
  v1::ExecuteResponse response_;
};

class Service : public v1::CodeExecution::CallbackService {
  grpc::ServerWriteReactor<v1::ExecuteResponse>* Execute(
      grpc::CallbackServerContext* /*context*/,
      const v1::ExecuteRequest* request) override {
    return new Stream(*request);
  }
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context,
                                const v1::ExecuteRequest* /*request*/,
                                v1::Result* response) override {
    response->set_outcome(v1::EXITED);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

[[noreturn]] void Serve(int port_writer) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr ||
      write(port_writer, &port, sizeof(port)) != sizeof(port)) {
    Die("the bare server cannot serve");
  }
  server->Wait();
  _exit(0);
}

}  // namespace

BareServer::BareServer() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
  const sandbox::UniqueFd reader(ends[0]);
  sandbox::UniqueFd writer(ends[1]);
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) Serve(writer.get());
  writer.Reset();
  int port = 0;
  if (read(reader.get(), &port, sizeof(port)) != sizeof(port)) {
    Die("the bare server did not start");
  }
  address_ = absl::StrCat("127.0.0.1:", port);
}

BareServer::~BareServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace cordon::bench
