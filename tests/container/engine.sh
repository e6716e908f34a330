# shellcheck shell=bash
# A Docker engine and cordon's image, for the scripts here, which source this
# file in the project's directory. Needs root or sudo, and Debian's docker.io.
#
# Uses the daemon that runs, or starts one, which clean_up_engine stops again.
# Where the base image is not there, one is made with debootstrap; no registry is
# asked.

readonly OFFICIAL_BASE=debian:bookworm-slim
readonly OWN_BASE=cordon-test-base:bookworm
readonly IMAGE=cordon-test:latest

export PATH="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/cordon/bin:$PATH:/usr/sbin:/sbin"
work=$(mktemp -d)
daemon=
passed=0
failed=0

as_root() {
  if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo -- "$@"; fi
}
# By its path: by its name this function would call itself.
docker() { as_root "$(type -P docker)" "$@"; }

clean_up_engine() {
  if [[ -n $daemon ]]; then
    as_root kill -TERM "$(cat "$work/dockerd.pid" 2>/dev/null || echo "$daemon")" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  as_root rm -rf "$work"
}

finish() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 && $passed -gt 0 ]]
  exit
}

# One check: $1 is its name, the rest a command.
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok     container: $name"
  else
    failed=$((failed + 1))
    echo "FAILED container: $name"
    return 1
  fi
}

start_daemon() {
  if docker info >/dev/null 2>&1; then return 0; fi
  echo "starting dockerd"
  as_root dockerd --pidfile="$work/dockerd.pid" >"$work/dockerd.log" 2>&1 </dev/null &
  daemon=$!
  for _ in $(seq 60); do
    if docker info >/dev/null 2>&1; then return 0; fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 1
  done
  tail -n 20 "$work/dockerd.log"
  return 1
}

# Debian's own mirror unless this machine's apt is set up for another; what its
# apt needs to get there goes along.
make_base() {
  local root="$work/base" file
  as_root debootstrap --variant=minbase bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
    >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log"; return 1; }
  for file in /etc/apt/sources.list.d/debian.sources $(grep -lis 'proxy' /etc/apt/apt.conf.d/* /etc/apt/apt.conf); do
    [[ ! -e $file ]] || as_root install -D -m 644 "$file" "$root$file"
  done
  [[ ! -e $root/etc/apt/sources.list.d/debian.sources ]] || as_root rm -f "$root/etc/apt/sources.list"
  as_root tar -C "$root" -c . | docker import - "$OWN_BASE" >/dev/null || return 1
  as_root rm -rf "$root"
}

build_image() {
  local base=$OFFICIAL_BASE
  if ! docker image inspect "$base" >/dev/null 2>&1; then
    base=$OWN_BASE
    docker image inspect "$base" >/dev/null 2>&1 || make_base || return 1
  fi
  docker build --network host --build-arg BASE="$base" --tag "$IMAGE" . >"$work/build.log" 2>&1 ||
    { tail -n 60 "$work/build.log"; return 1; }
}
