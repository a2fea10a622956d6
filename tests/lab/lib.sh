# shellcheck shell=bash disable=SC2034   # what is set here is for those who source it
# lib.sh: what the lab's scripts share. Sourced, never run.
#
# Everything the lab makes lives in two folders outside the repository:
#   $CACHE  what took long to build (programs, root file systems, images, Docker's data)
#   $STATE  what exists only while the lab runs (sockets, pid files, marks)

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${KBUNDLE_LAB_CACHE:-/var/cache/kbundle-lab}
STATE=${KBUNDLE_LAB_STATE:-/run/kbundle-lab${KBUNDLE_LAB_NAME:+-$KBUNDLE_LAB_NAME}}

# Labs of different KBUNDLE_LAB_NAME run side by side: they share what was built, and nothing that runs.
LAB_ID=kbundle-lab${KBUNDLE_LAB_NAME:+-$KBUNDLE_LAB_NAME}
NETNS=$LAB_ID                     # the daemon's network namespace: bridges, rules and sysctls end with it

# Settings of the whole machine that a kubelet in a node changes; `down` puts them back.
KUBELET_SYSCTLS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
                 kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

INOTIFY_INSTANCES=1024            # raised while any lab runs

NODES=(master worker)
declare -A NODE_ADDRESS=([master]=10.77.0.11 [worker]=10.77.0.12)
AIRGAP=10.77.0                    # every node; no way out
STORAGE=10.78.0                   # a second network, on the master only
INTERNET=10.79.0                  # the upstream and the connected host

# The host names that resolve to the upstream, in its certificate and as its network aliases.
REGISTRY_NAMES=(k8s.gcr.io registry.k8s.io quay.io ghcr.io docker.io registry-1.docker.io
                registry.cn-hangzhou.aliyuncs.com)
FILE_NAMES=(dl.k8s.io github.com objects.githubusercontent.com raw.githubusercontent.com)

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# run_logged NAME COMMAND...: quiet unless it fails; then the end of its log is shown.
run_logged() {
    local log=$CACHE/log/$1; shift
    mkdir -p "$CACHE/log"
    "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "$1 failed; whole log: $log"; }
}

# load_version VERSION: sets the variables of versions/VERSION.sh.
load_version() {
    VERSION=$1
    [[ -r $LAB/versions/$1.sh ]] || die "no versions/$1.sh; known: $(cd "$LAB/versions" && echo *.sh)"
    # shellcheck source=/dev/null
    source "$LAB/versions/$1.sh"
}

# The lab's own Docker daemon: its own data, socket and network namespace. The client is the
# daemon's own package's, as another one on the PATH may be of any version.
DOCKERD_PID=$STATE/dockerd.pid
DOCKER_DATA=$CACHE/docker${KBUNDLE_LAB_NAME:+-$KBUNDLE_LAB_NAME}
DOCKER=$(PATH=/usr/bin:/usr/local/bin command -v docker || true)
docker() { DOCKER_HOST=unix://$STATE/docker.sock "$DOCKER" "$@"; }

# A Go that `up` had to fetch comes before the machine's.
[[ ! -d $CACHE/venv/bin ]] || PATH=$CACHE/venv/bin:$PATH
daemon_alive() { [[ -r $DOCKERD_PID ]] && kill -0 "$(<"$DOCKERD_PID")" 2>/dev/null && docker version >/dev/null 2>&1; }
container() { printf 'kbundle-%s' "$1"; }
running() { [[ $(docker inspect -f '{{.State.Running}}' "$(container "$1")" 2>/dev/null) == true ]]; }
hosts() { docker ps --filter name=^kbundle- --format '{{.Names}}' | sed 's/^kbundle-//' | sort; }
