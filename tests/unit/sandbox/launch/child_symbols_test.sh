#!/bin/bash
# What runs between clone and execve shares the server's memory: a call into the C
# library could take a lock that another thread holds. So its object refers to
# nothing outside itself.
set -eu

for object in "$@"; do
  # The control: the function under test is in the object that was given.
  if ! nm --defined-only "$object" | grep -q ' T CordonChildMain$'; then
    echo "FAIL: $object does not define CordonChildMain" >&2
    exit 1
  fi
  undefined=$(nm --undefined-only "$object" | sed -n 's/^ *U //p')
  if [ -n "$undefined" ]; then
    echo "FAIL: $object refers to what it may not call:" >&2
    echo "$undefined" >&2
    exit 1
  fi
done
echo "PASS: $# object(s) without an undefined symbol"
