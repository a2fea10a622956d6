# Expectations of the shell tests. Sourced, not run.

say() { echo "-- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# expect_equal WHAT WANTED FOUND
expect_equal() { [ "$2" = "$3" ] || fail "$1: wanted '$2', found '$3'"; }

# expect_exit STATUS COMMAND...: its output is kept in $output.
expect_exit() {
  local wanted=$1 status=0
  shift
  output=$("$@" 2>&1) || status=$?
  [ "$status" = "$wanted" ] || fail "exit $status, wanted $wanted: $*"$'\n'"$output"
}

# expect_says TEXT: the last expect_exit's output holds it.
expect_says() { [[ $output == *"$1"* ]] || fail "it does not say '$1':"$'\n'"$output"; }
