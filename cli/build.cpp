#include "builder/build.hpp"

#include <iostream>

#include "cli/mirror_flags.hpp"
#include "cli/transport_flags.hpp"
#include "cli/verbs.hpp"

namespace kbundle::cli {

void add_build(CLI::App& app, const Globals& globals) {
  struct Flags {
    BuildOptions options;
    MirrorFlags mirrors;
    std::filesystem::path lock_file;
  };
  auto flags = std::make_shared<Flags>();
  auto& options = flags->options;
  auto* verb = app.add_subcommand(
      "build", "pull a Kubernetes version's images and programs into one signed bundle");
  verb->add_option("VERSION", options.version, "Kubernetes version, v1.18.2")->required();
  verb->add_option("-o,--output", options.output_dir, "folder the bundle is written to")
      ->capture_default_str()
      ->type_name("DIR");
  verb->add_option("--arch", options.architectures,
                   "architectures, or all that there are programs for;\ndefault: the lock's, else "
                   "this host's")
      ->delimiter(',')
      ->type_name("LIST");
  verb->add_option("--cni", options.cni, "flannel, none, or a manifest FILE of one's own")
      ->capture_default_str();
  verb->add_option("--without", options.without,
                   "leave a program out: crictl, containerd, runc, ...; keepalived\nis the image "
                   "of install --vip")
      ->delimiter(',')
      ->type_name("PROGRAM");
  verb->add_option("--with", options.with,
                   "add an optional program: cri-dockerd, for install --runtime docker\nfrom "
                   "Kubernetes 1.24 on")
      ->delimiter(',')
      ->type_name("PROGRAM");
  verb->add_option("--image", options.extra_images, "one more image (may be repeated)")
      ->type_name("REF");
  verb->add_flag("--referrers", options.referrers, "signatures, SBOMs and attestations come along");
  add_mirror_flags(*verb, flags->mirrors);
  verb->add_option("--lock", flags->lock_file, "build exactly what this bundle.lock says")
      ->type_name("FILE");
  verb->add_option("--sign-key", options.sign_key, "private key; made on first use when absent")
      ->type_name("FILE");
  verb->add_option("--cache", options.cache_dir, "where downloads are kept between builds")
      ->type_name("DIR");
  verb->add_option("--parallel", options.parallel, "downloads at once")->capture_default_str();
  add_transport_flags(*verb, options.transport);
  verb->add_flag("--dry-run", options.dry_run, "print what would be fetched; write nothing");
  verb->footer(
      "examples:\n"
      "  kbundle build v1.18.2\n"
      "  kbundle build v1.18.2 -o /media/usb --without crictl\n"
      "  kbundle build v1.18.2 --mirror-preset daocloud\n"
      "  kbundle build v1.18.2 --mirror "
      "'k8s.gcr.io=registry.cn-hangzhou.aliyuncs.com/google_containers/*'\n"
      "  kbundle build v1.18.2 --lock bundle.lock   # the same bundle again, bit for bit");
  verb->callback([flags, &globals] {
    auto& build_options = flags->options;
    build_options.mirrors = flags->mirrors.mirrors();
    if (!flags->lock_file.empty()) build_options.lock_file = flags->lock_file;
    const auto progress = globals.progress();
    std::cout << build(build_options, *progress).summary();
  });
}

}  // namespace kbundle::cli
