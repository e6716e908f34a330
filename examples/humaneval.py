#!/usr/bin/python3
"""Runs the HumanEval problems through a cordon server.

    examples/humaneval.py --server=localhost:50051 HumanEval.jsonl.gz
    examples/humaneval.py --replace-body --compare-bare HumanEval.jsonl.gz

Each problem is one program: its prompt, its canonical solution and its tests. A
program that ends with exit code 0 has passed. By default every program must
pass. With --replace-body the solutions are replaced by "return None", so that
most tests fail; with --compare-bare every program also runs without a sandbox,
and both must give the same exit code.

A failure of the service is never counted as a failed program: the answer of a
call is either a Result, which is about the program, or a status, which is about
the service.

Needs python3-grpcio, python3-protobuf and protobuf-compiler.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import gzip
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import grpc

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTO = "proto/cordon/v1/execution.proto"
METHOD = "/cordon.v1.CodeExecution/Run"
TOO_SLOW = "too slow"


@dataclasses.dataclass(frozen=True)
class Problem:
    task_id: str
    program: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """How one program ended: in the sandbox and, where asked, bare."""

    problem: Problem
    outcome: str  # An Outcome, or the status code of a service failure.
    exit_code: int | None  # As subprocess gives it: a signal's number is negative.
    message: str
    service_failed: bool = False
    bare_exit_code: int | str | None = None

    @property
    def passed(self):
        return self.outcome == "EXITED" and self.exit_code == 0

    @property
    def differs(self):
        """Whether the sandbox changed how the program ended."""
        if self.bare_exit_code == TOO_SLOW:
            return self.outcome not in ("WALL_TIME_LIMIT", "CPU_TIME_LIMIT")
        return self.exit_code != self.bare_exit_code


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Runs the HumanEval problems through a cordon server.")
    parser.add_argument("problems", metavar="HumanEval.jsonl.gz")
    parser.add_argument("--server", metavar="HOST:PORT",
                        default=os.environ.get("CORDON_SERVER", "localhost:50051"))
    parser.add_argument("--concurrency", type=int, default=4, metavar="N",
                        help="programs at once (default 4)")
    parser.add_argument("--wall", type=float, default=30, metavar="SECONDS",
                        help="wall time limit of each program (default 30)")
    parser.add_argument("--replace-body", action="store_true",
                        help="replace each solution by \"return None\"")
    parser.add_argument("--compare-bare", action="store_true",
                        help="also run each program without a sandbox, and compare")
    return parser.parse_args()


def load_contract():
    """The messages of execution.proto, compiled into a directory that is gone at exit."""
    directory = tempfile.TemporaryDirectory(prefix="cordon-humaneval-")
    subprocess.run(["protoc", f"--proto_path={ROOT}", f"--python_out={directory.name}",
                    str(ROOT / PROTO)], check=True)
    sys.path.insert(0, directory.name)
    contract = importlib.import_module("proto.cordon.v1.execution_pb2")
    sys.path.pop(0)
    directory.cleanup()
    return contract


def read_problems(path, replace_body):
    problems = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            solution = "    return None\n" if replace_body else row["canonical_solution"]
            program = (row["prompt"] + solution + "\n" + row["test"] + "\n"
                       + f"check({row['entry_point']})")
            problems.append(Problem(row["task_id"], program))
    return problems


def run_bare(program, wall_seconds):
    """The exit code of the program under the same Python, without a sandbox."""
    with tempfile.TemporaryDirectory(prefix="cordon-humaneval-") as directory:
        source = pathlib.Path(directory) / "main.py"
        source.write_text(program, encoding="utf-8")
        try:
            return subprocess.run(
                ["/usr/bin/python3", source], cwd=directory, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=wall_seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            return TOO_SLOW


class Evaluation:
    """Sends problems to one server."""

    def __init__(self, contract, channel, arguments):
        self._contract = contract
        self._run = channel.unary_unary(
            METHOD,
            request_serializer=contract.ExecuteRequest.SerializeToString,
            response_deserializer=contract.Result.FromString)
        self._wall_seconds = arguments.wall
        self._compare_bare = arguments.compare_bare

    def _request(self, problem):
        request = self._contract.ExecuteRequest(label=problem.task_id)
        request.source.language = "python"
        request.source.code = problem.program
        request.limits.wall_time.FromMilliseconds(int(self._wall_seconds * 1000))
        return request

    def answer(self, problem):
        bare = run_bare(problem.program, self._wall_seconds) if self._compare_bare else None
        try:
            result = self._run(self._request(problem))
        except grpc.RpcError as error:
            return Answer(problem, error.code().name, None, error.details(),
                          service_failed=True, bare_exit_code=bare)
        outcome = self._contract.Outcome.Name(result.outcome)
        exit_code = {"EXITED": result.exit_code, "SIGNALED": -result.signal}.get(outcome)
        words = result.stderr.decode(errors="replace").strip().splitlines()
        message = result.message or (words[-1] if words else "")
        return Answer(problem, outcome, exit_code, message, bare_exit_code=bare)


def collect(evaluation, problems, concurrency):
    answers = []
    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        for answer in pool.map(evaluation.answer, problems):
            answers.append(answer)
            print(f"\r{len(answers)}/{len(problems)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return answers


def summary(answers):
    """ "164 programs: 164 EXITED 0" """
    counts = collections.Counter()
    for answer in answers:
        if answer.service_failed:
            counts[f"service failure {answer.outcome}"] += 1
        elif answer.outcome == "EXITED":
            counts[f"EXITED {answer.exit_code}"] += 1
        else:
            counts[answer.outcome] += 1
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{len(answers)} programs: {parts}"


def main():
    arguments = parse_arguments()
    contract = load_contract()
    problems = read_problems(arguments.problems, arguments.replace_body)
    with grpc.insecure_channel(
            arguments.server, options=[("grpc.enable_http_proxy", 0)]) as channel:
        answers = collect(Evaluation(contract, channel, arguments), problems,
                          arguments.concurrency)

    unexpected = [a for a in answers if a.service_failed]
    if arguments.compare_bare:
        unexpected += [a for a in answers if not a.service_failed and a.differs]
    elif not arguments.replace_body:
        unexpected += [a for a in answers if not a.service_failed and not a.passed]
    for answer in unexpected:
        exit_code = "" if answer.exit_code is None else f" {answer.exit_code}"
        bare = f"; bare: {answer.bare_exit_code}" if arguments.compare_bare else ""
        print(f"{answer.problem.task_id}: {answer.outcome}{exit_code}{bare}: {answer.message}")
    print(summary(answers))
    if arguments.compare_bare:
        failed = sum(a.bare_exit_code != 0 for a in answers)
        print(f"bare: {failed} of {len(answers)} fail; "
              f"{sum(a.differs for a in answers)} end differently in the sandbox")
    return 1 if unexpected or not answers else 0


if __name__ == "__main__":
    sys.exit(main())
