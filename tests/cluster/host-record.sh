# What a host is, as text: sourced by the reset tests, after lib.sh.
# Runs on the node. Times of day, counters and interface numbers are left out.
record_script='
set -u
section() { echo "== $1"; }
section files
find / /var -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /media \) -prune -o \
  \( -type d -printf "%y %m %U:%G - %p\n" -o -type l -printf "%y %m %U:%G %l %p\n" -o -printf "%y %m %U:%G %s %p\n" \) |
  sort -u -k5
find / /var -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /media \) -prune -o \
  -type f -print0 | sort -zu | xargs -0 sha256sum
for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
  section $save
  $save 2>/dev/null | sed -e "/^#/d" -e "s/ \[[0-9]*:[0-9]*\]$//"
done
section links
ip -o link | sed -e "s/^[0-9]*: //" -e "s/link-netnsid.*//"
section addresses
ip -o addr | sed -e "s/^[0-9]*: //" -e "s/valid_lft.*//"
section routes
ip route; ip -6 route
section namespaces
ls /run/netns 2>/dev/null
section mounts
awk "{print \$5, \$6}" /proc/self/mountinfo | sort
section units
systemctl list-unit-files --no-legend --no-pager | awk "{print \$1, \$2}" | sort
systemctl list-units --all --type=service,timer,swap --no-legend --plain --no-pager | awk "{print \$1, \$2, \$3}" | sort
section sysctl
for key in net.ipv4.ip_forward net.ipv4.conf.all.route_localnet net.ipv6.conf.all.forwarding; do
  echo $key $(cat /proc/sys/$(echo $key | tr . /))
done
section cgroups
find /sys/fs/cgroup -name "kubepods*"
section processes
ps -eo comm= | grep -E "kube|containerd|etcd|flannel|coredns|pause|runc" | sort
section swap
tail -n +2 /proc/swaps | awk "{print \$1}"
if command -v ctr >/dev/null && systemctl is-active -q containerd; then
  section runtime
  ctr -n k8s.io images ls | awk "NR > 1 {print \$1, \$3}"
  ctr -n k8s.io containers ls -q
  ctr -n k8s.io content ls -q
  ctr -n k8s.io leases ls -q
  ctr -n k8s.io snapshots ls | awk "NR > 1 {print \$1}"
fi
'

# A table that has only the kernel's own chains, all open, is no table (docs/reset.md).
without_empty_tables() {
  awk '/^== / { if (held != "") printf "%s", held; held = ""; print; next }
       /^\*/ { held = $0 "\n"; used = 0; next }
       held != "" && /^:[A-Z]+ ACCEPT$/ { held = held $0 "\n"; next }
       held != "" && /^COMMIT$/ { if (used) printf "%s%s\n", held, $0; held = ""; next }
       held != "" { held = held $0 "\n"; used = 1; next }
       { print }'
}

# record_host NODE FILE
record_host() { on "$1" bash -c "$record_script" | without_empty_tables >"$2"; }

# The exceptions are the docs' own list: what stands between the marks in docs/reset.md, a pattern
# of grep -E each.
exceptions() { sed -n '/^```exceptions$/,/^```$/p' docs/reset.md | grep -v '^```'; }

# expect_same_host NODE BEFORE AFTER
expect_same_host() {
  local difference excepted
  difference=$(diff <(cat "$2") <(cat "$3") | grep '^[<>]' || true)
  excepted=$(grep -E -f <(exceptions) <<<"$difference" || true)
  difference=$(grep -vE -f <(exceptions) <<<"$difference" || true)
  [ -z "$difference" ] || fail "$1 is not what it was:"$'\n'"$(head -n 60 <<<"$difference")"
  echo "$1: $(grep -c . "$3") lines of record; differences: none, but $(grep -c . <<<"$excepted" || true) on the list of exceptions"
}
