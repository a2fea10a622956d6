# Command-line goldens: what kbundle prints, to the letter. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
kbundle=$PWD/build/release/kbundle
site=$PWD/build/release/kbundle-static
export NO_COLOR=1

# golden STATUS COMMAND...: standard output and error, compared with this function's standard input.
golden() {
  local status=$1 found=0 output
  shift
  output=$("$@" 2>&1) || found=$?
  if [ "$found" != "$status" ]; then
    echo "exit $found, wanted $status: $*"; echo "$output"; exit 1
  fi
  diff -u --label wanted --label "${*##*/}" <(cat) <(printf '%s\n' "$output") || exit 1
}
