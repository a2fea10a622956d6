# Shared by quickstart and test: packages, and steps that say what they do and how long it took.
# Sourced, not run. Everything a person reads goes to standard error.

step_names=()
step_times=()

# step TITLE COMMAND...: runs it, remembers its time.
step() {
  local title=$1 start end
  shift
  printf '\n==> %s\n' "$title" >&2
  start=$(date +%s)
  "$@" || { printf 'failed: %s\n' "$title" >&2; return 1; }
  end=$(date +%s)
  step_names+=("$title")
  step_times+=($((end - start)))
}

print_step_times() {
  local i total=0
  printf '\n%-52s %s\n' 'step' 'seconds' >&2
  for i in "${!step_names[@]}"; do
    printf '%-52s %6d\n' "${step_names[$i]}" "${step_times[$i]}" >&2
    total=$((total + step_times[i]))
  done
  printf '%-52s %6d\n' 'in all' "$total" >&2
}

# install_packages LIST_FILE...: what is missing of Debian's packages, nothing when all is there.
install_packages() {
  local missing
  missing=$(cat "$@" | grep -v '^#' | while read -r package; do
    # The command may come from another vendor's package, which this one would drive out.
    [ "$package" = containerd ] && command -v containerd >/dev/null && continue
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done)
  [ -n "$missing" ] || { echo "all there" >&2; return 0; }
  if [ "$(id -u)" != 0 ]; then
    echo "these Debian packages are missing; as root: apt-get install" $missing >&2
    return 1
  fi
  echo "installing" $missing >&2
  # No daemon that a package brings starts on this machine, and nothing of it is removed.
  (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
      trap 'rm -f $policy' EXIT INT TERM
      printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    fi
    apt-get update -q && DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-remove --no-install-recommends $missing
  ) >&2
}

# compile PRESET [TARGET...]. What ccache has of another clone serves this one, too.
compile() {
  local preset=$1 targets=()
  shift
  [ $# = 0 ] || targets=(--target "$@")
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  cmake --preset "$preset" >/dev/null && cmake --build --preset "$preset" "${targets[@]}" >&2
}
