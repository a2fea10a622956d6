// `etcd.external` in the documents of --config: its files are here, and each endpoint is healthy.
// The names are kubeadm's.
#include "installer/external_etcd.hpp"

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {

void check_external_etcd(const Context& context, Findings& findings) {
  if (!context.external_etcd || !context.initializes() || context.options.joined) return;
  const auto etcd = external_etcd_of(context.user_documents);
  if (!etcd) return;
  const Host& host = context.host;
  bool usable = true;
  for (const std::string& file : etcd->files()) {
    if (host.exists(file)) continue;
    usable = false;
    findings.error("ExternalEtcdClientCertificates",
                   file + " is not there, which etcd.external in the kubeadm configuration names",
                   "copy it there: the CA of that etcd, and a certificate and key it lets in");
  }
  if (!usable || !host.live()) return;
  for (const std::string& trouble : endpoints_in_trouble(host, *etcd))
    findings.error("ExternalEtcdVersion", "the external etcd is not healthy: " + trouble,
                   "see that it runs, that this host reaches it, and that the files of "
                   "etcd.external are its own");
}

}  // namespace kbundle
