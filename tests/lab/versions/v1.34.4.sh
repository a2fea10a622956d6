# shellcheck shell=bash disable=SC2034
# Kubernetes v1.34.4 and what its users had around it: the other end of the range.

KUBERNETES_COMMIT=unknown
KUBERNETES_DATE=2026-02-10T12:53:36Z
STAGING=v0.34.4
KUBERNETES_REPLACE=()
GENERATE_OPENAPI=no

COREDNS=v1.12.1
ETCD=v3.6.5
FLANNEL=github.com/flannel-io/flannel@v0.28.4   # the one there is
# A requirement of it has moved between modules.
FLANNEL_REPLACE=(github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common=github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common@v1.3.78)
# flannel-io/cni-plugin is not to be had; this is the plugin it was made from.
FLANNEL_CNI=github.com/containernetworking/plugins@v0.8.7
CNI_PLUGINS=v1.7.1
CONTAINERD=v1.7.29
CONTAINERD_AS=1.7.29
RUNC=v1.3.3
CRI_DOCKERD=v0.3.17

IMAGES=(
    "kube-apiserver:v1.34.4           control  docker-list"
    "kube-controller-manager:v1.34.4  control  docker-list"
    "kube-scheduler:v1.34.4           control  docker-list"
    "kube-proxy:v1.34.4               net      docker-list"
    "coredns/coredns:v1.12.1          coredns  oci-index"
    "pause:3.10.1                     pause    docker-list"
    "etcd:3.6.5-0                     etcd     oci-index"
)
FLANNEL_IMAGES=("ghcr.io/flannel-io/flannel:v0.27.4                     flannel      oci-index"
                "ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1  flannel-cni  oci-index")
# Of --vip: the same for each version.
ADDRESS_IMAGES=("docker.io/osixia/keepalived:2.0.20  keepalived  docker-list")

# v0.27.4's manifest is v0.28.4's but for the tags of the two images.
FLANNEL_MANIFEST=github.com/flannel-io/flannel@v0.28.4
FLANNEL_MANIFEST_TAG=v0.27.4
FLANNEL_MANIFEST_EDIT='s#(flannel-io/flannel):v0\.28\.[0-9]+#\1:v0.27.4#; s#(flannel-cni-plugin):v[0-9a-z.-]+#\1:v1.8.0-flannel1#'
