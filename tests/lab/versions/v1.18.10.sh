# shellcheck shell=bash disable=SC2034
# Kubernetes v1.18.10: what a v1.18.2 cluster is upgraded to.

KUBERNETES_COMMIT=62876fc6d93e891aa7fbe19771e6a6c03773b0f7
KUBERNETES_DATE=2020-10-15T01:43:56Z
STAGING=v0.18.10
# The old home of vbom.ml/util is gone; the other two panic with a Go newer than 1.17.
KUBERNETES_REPLACE=(
    vbom.ml/util=github.com/fvbommel/util@v0.0.0-20180919145318-efcd4e0f9787
    github.com/json-iterator/go=github.com/json-iterator/go@v1.1.12
    github.com/modern-go/reflect2=github.com/modern-go/reflect2@v1.0.2
)
GENERATE_OPENAPI=yes              # the module leaves pkg/generated/openapi out

COREDNS=v1.6.7
ETCD=debian                       # etcd-server of Debian 12 is 3.4, as is the image's
FLANNEL=github.com/flannel-io/flannel@v0.18.1   # the newest whose needs v0.12.0's ClusterRole covers
FLANNEL_REPLACE=()
FLANNEL_CNI=                      # the plugin is part of CNI plugins 0.8.7
CNI_PLUGINS=v0.8.7
CONTAINERD=v1.6.38                # the newest 1.6 the module proxy has, published under ...
CONTAINERD_AS=1.6.39              # ... this release's name too
RUNC=v1.3.0

# Images: path:tag in the upstream registry, what build/images puts in, kind of manifest.
IMAGES=(
    "kube-apiserver:v1.18.10           control  docker-list"
    "kube-controller-manager:v1.18.10  control  docker-list"
    "kube-scheduler:v1.18.10           control  docker-list"
    "kube-proxy:v1.18.10               net      docker-list"
    "pause:3.2                        pause    docker"
    "etcd:3.4.3-0                     etcd     oci-index"
    "coredns:1.6.7                    coredns  oci-index"
)
FLANNEL_IMAGES=("quay.io/coreos/flannel:v0.12.0-amd64  flannel  docker")
# Of --vip: the same for each version.
ADDRESS_IMAGES=("docker.io/osixia/keepalived:2.0.20  keepalived  docker-list")

# The manifest as its project published it; the second path is the project's older name.
FLANNEL_MANIFEST=github.com/coreos/flannel@v0.12.0
FLANNEL_MANIFEST_TAG=v0.12.0
FLANNEL_MANIFEST_EDIT=
