#!/bin/sh
# What a release does on a machine: "sh -s -- VERB WORD…", this text on the standard input.
# It lives in ~/albert: releases/ID/ are bundles, current/PART and good/PART are links to the one
# that serves and the last one that was seen healthy; back/PART is there while a return to it is not
# finished. Sentences are the caller's: this prints facts.
set -eu
umask 077
root=$HOME/albert
verb=$1
shift

# The name of the release that a link leads to; nothing if there is none.
led_to() {
  if [ -L "$1" ]; then basename "$(readlink "$1")"; fi
}

# A link is made aside and renamed over the old one: at every moment there is one, whole.
link() {
  mkdir -p "$root/$1"
  ln -sfn "../releases/$3" "$root/$1/.$2.new"
  mv -T "$root/$1/.$2.new" "$root/$1/$2"
}

# PART: its releases that were healthy, the last one first. Names are ours: no space in them.
healthy() {
  # shellcheck disable=SC2012
  ls -1t "$root/releases"/*/".healthy.$1" 2>/dev/null | sed 's|/[^/]*$||; s|.*/||'
}

# The step that goes on.
step() {
  grep . "$root/step.lock" || echo "?"
}

# SECONDS STEP: a step left behind by a deployment that was killed goes on alone: wait for its end,
# or say which it is. The containers must not inherit the lock, or it would last as long as they do.
alone() {
  exec 8>>"$root/step.lock"
  if ! flock --timeout "$1" 8; then
    step
    return 1
  fi
  echo "$2" >"$root/step.lock"
}

case $verb in
facts)
  # PROGRAM: Compose
  mkdir -p "$root/releases"
  echo "home=$HOME"
  echo "environment=$(cat "$root/environment" 2>/dev/null || true)"
  echo "free=$(df -Pk "$root" | awk 'NR == 2 { print $4 }')"
  echo "listening=$(awk '$4 == "0A" { n = split($2, at, ":"); print at[n] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u | tr '\n' ' ')"
  # shellcheck disable=SC2086
  if told=$($1 version 2>&1 </dev/null); then echo "compose=yes"; else
    echo "compose=no"
    echo "told=$(echo "$told" | tail -n 1)"
  fi
  if flock --shared --nonblock "$root/step.lock" true; then echo "step="; else echo "step=$(step)"; fi
  # The last one that came may run too, whatever became of it.
  # shellcheck disable=SC2012
  last=$root/releases/$(ls -1t "$root/releases" | head -n 1)
  ours=$(sed 's/.*://' "$last"/services.* 2>/dev/null | tr '\n' ' ')
  for part in llm api; do
    for place in current good back; do
      release=$(led_to "$root/$place/$part")
      echo "$place.$part=$release"
      ours="$ours $(sed 's/.*://' "$root/releases/$release/services.$part" 2>/dev/null | tr '\n' ' ')"
    done
    echo "healthy.$part=$(healthy "$part" | tr '\n' ' ')"
    echo "services.$part=$(paste -sd ' ' "$root/current/$part/services.$part" 2>/dev/null)"
  done
  echo "ours=$ours"
  ;;
wait)
  # SECONDS
  alone "$1" "" || true
  ;;
services)
  # PART ID: its services and their ports
  cat "$root/releases/$2/services.$1"
  ;;
named)
  # PART: each release, the last one first, and its services
  cd "$root/releases"
  # shellcheck disable=SC2012
  ls -1t | while read -r release; do
    echo "$release $(tr '\n' ' ' <"$release/services.$1")"
  done
  ;;
keep)
  # ENVIRONMENT ID: a bundle that was received whole; on a full disk, what was written stays
  echo "$1" >"$root/.environment.new"
  mv -T "$root/.environment.new" "$root/environment"
  [ -d "$root/releases/$2" ] || mv -T "$root/releases/.incoming-$2" "$root/releases/$2"
  touch "$root/releases/$2"
  rm -rf "$root/releases"/.incoming-*
  ;;
pull)
  # ENGINE IMAGE…: those that are not there yet
  engine=$1
  shift
  for image in "$@"; do
    $engine image inspect "$image" >/dev/null 2>&1 </dev/null || $engine pull --quiet "$image" </dev/null
  done
  ;;
switch)
  # PART ID
  [ -f "$root/releases/$2/compose.yml" ]
  link current "$1" "$2"
  ;;
compose)
  # ID PROGRAM -- WORD…: Compose, in the folder of a release; the program may be several words
  cd "$root/releases/$1"
  program=$2
  shift 3
  alone 1800 "$(basename "$PWD") $*" >&2
  # shellcheck disable=SC2086
  $program --file compose.yml "$@" 8>&- </dev/null
  ;;
healthy)
  # ID PROGRAM SERVICE SECONDS: ask as the container's own health check does, until it is well; what
  # was last said if it is not
  cd "$root/releases/$1"
  eval "set -- \"\$2\" \"\$3\" \"\$4\" $(cat "probes/$3")"
  program=$1
  service=$2
  until=$(($(date +%s) + $3))
  shift 3
  # shellcheck disable=SC2086
  until told=$(timeout 30 $program --file compose.yml exec -T "$service" "$@" 2>&1 </dev/null); do
    if [ "$(date +%s)" -ge "$until" ]; then
      echo "$told" | tail -n 1
      exit 0
    fi
    sleep 1
  done
  echo well
  ;;
back)
  # PART ID
  link back "$1" "$2"
  ;;
good)
  # PART ID
  link good "$1" "$2"
  touch "$root/releases/$2/.healthy.$1"
  rm -f "$root/back/$1"
  ;;
forget)
  # PART: no release of it serves any more
  rm -f "$root/current/$1" "$root/good/$1" "$root/back/$1"
  ;;
prune)
  # COUNT: the latest releases of each part stay, as many that were never healthy (one may be
  # prepared), and those that a link leads to
  cd "$root/releases"
  # shellcheck disable=SC2012
  kept=" $({
    for place in "$root"/current/* "$root"/good/* "$root"/back/*; do led_to "$place"; done
    for part in llm api; do healthy "$part" | head -n "$1"; done
    ls -1t | while read -r one; do
      ls "$one"/.healthy.* >/dev/null 2>&1 || echo "$one"
    done | head -n "$1"
  } | tr '\n' ' ') "
  for old in *; do
    case $kept in *" $old "*) ;; *) rm -rf -- "$old" ;; esac
  done
  ;;
*)
  echo "unknown verb: $verb" >&2
  exit 2
  ;;
esac
