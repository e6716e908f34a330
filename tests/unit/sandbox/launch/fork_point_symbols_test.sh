#!/bin/bash
# Between the clone and the filter a fork must not call into a C library that was
# not told of it: the object of the fork point refers to the child's steps alone.
set -eu

for object in "$@"; do
  # The control: the function under test is in the object that was given.
  if ! nm --defined-only "$object" | grep -q ' T CordonServeForks$'; then
    echo "FAIL: $object does not define CordonServeForks" >&2
    exit 1
  fi
  undefined=$(nm --undefined-only "$object" | sed -n 's/^ *U //p' |
    grep -vx -e CordonRestrictChild -e CordonTakeStreams || true)
  if [ -n "$undefined" ]; then
    echo "FAIL: $object refers to what it may not call:" >&2
    echo "$undefined" >&2
    exit 1
  fi
done
echo "PASS: $# object(s) that refer to the child's steps alone"
