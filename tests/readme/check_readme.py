#!/usr/bin/env python3
"""Runs the README's commands and compares their output with what it shows.

    tests/readme/check_readme.py --server=127.0.0.1:50051 [--only=grpcurl] [README.md]

A fenced `sh` block that is followed, with only prose between, by a `json` or
`text` block is an example: a command and its answer.

  json  Each JSON value in the block must be a subset of a value that the command
        prints, in order. An object may have further fields; a list must have the
        same length; the string "..." stands for any value that is present.
  text  Each line must be a part of a line that the command prints, on stdout or
        stderr, in order. "exit code N" says how the command ends.

Every command runs with bash in the same empty directory, in the order of the
README; `localhost:50051` stands for the server's address. Blocks that start with
`cat >` create files for those that follow.

The last line is "N passed, N failed". Exits with 1 if anything failed, or if
there was nothing to check.
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile

DOCUMENTED_SERVER = "localhost:50051"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_SECONDS = 60


@dataclasses.dataclass
class Example:
    line: int
    command: str
    kind: str | None = None  # json, text, or None: only has to succeed.
    answer: str = ""


def parse(text):
    """The examples of a Markdown text, in order."""
    examples = []
    for match in FENCE.finditer(text):
        language, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if language == "sh":
            examples.append(Example(line, body))
        elif language in ("json", "text") and examples and examples[-1].kind is None:
            examples[-1].kind = language
            examples[-1].answer = body
    return [e for e in examples if e.kind or e.command.startswith("cat >")]


def json_values(text):
    """The JSON values that follow one another in a text."""
    decoder = json.JSONDecoder()
    values = []
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return values
        value, position = decoder.raw_decode(text, position)
        values.append(value)


def camel_case(name):
    """What some versions of grpcurl call a field."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def difference(expected, actual, where="answer"):
    """Why `expected` is not a subset of `actual`, or None."""
    if expected == "...":
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            name = key if key in actual else camel_case(key)
            if name not in actual:
                return f"{where}.{key} is missing"
            found = difference(value, actual[name], f"{where}.{key}")
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{where} has {len(actual)} entries, not {len(expected)}"
        for index, (left, right) in enumerate(zip(expected, actual)):
            found = difference(left, right, f"{where}[{index}]")
            if found:
                return found
        return None
    return None if expected == actual else f"{where} is {actual!r}, not {expected!r}"


def check_json(answer, output):
    try:
        actual = json_values(output)
    except ValueError as error:
        return f"the output is not JSON: {error}"
    last = "no output"
    for expected in json_values(answer):
        while True:
            if not actual:
                return f"nothing matches {json.dumps(expected)}: {last}"
            last = difference(expected, actual.pop(0))
            if last is None:
                break
    return None


def check_text(answer, output, exit_code):
    lines = output.splitlines() + [f"exit code {exit_code}"]
    for expected in answer.splitlines():
        expected = expected.strip()
        if expected in ("", "..."):
            continue
        while lines and expected not in lines[0]:
            lines.pop(0)
        if not lines:
            return f"no line has {expected!r}"
        lines.pop(0)
    return None


def run(example, server, directory, environment):
    """What is wrong with an example, or None; and the output."""
    command = example.command.replace(DOCUMENTED_SERVER, server)
    try:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer in time", ""
    output = done.stdout.decode(errors="replace")
    if example.kind == "json":
        return check_json(example.answer, output), output
    if example.kind == "text":
        return check_text(example.answer, output, done.returncode), output
    return (None if done.returncode == 0 else f"exit code {done.returncode}"), output


def main():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--server", required=True, metavar="HOST:PORT")
    flags.add_argument("--only", choices=["grpcurl", "cordon"],
                       help="only the examples that start with this word")
    flags.add_argument("readme", nargs="?", default="README.md")
    arguments = flags.parse_args()

    with open(arguments.readme, encoding="utf-8") as file:
        examples = parse(file.read())
    environment = dict(os.environ, CORDON_SERVER=arguments.server)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for example in examples:
            counts = example.kind is not None
            if counts and arguments.only and not example.command.startswith(arguments.only):
                continue
            wrong, output = run(example, arguments.server, directory, environment)
            name = f"{arguments.readme}:{example.line}"
            if wrong:
                failed += 1
                print(f"FAILED {name}: {wrong}\n{example.command}--- printed\n{output}---")
            elif counts:
                passed += 1
                print(f"ok     {name}: {example.command.splitlines()[0][:100]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
