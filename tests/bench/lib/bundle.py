"""A bundle of the v1.18.2 set, as `kbundle build` makes it from the lab's registry and file server."""
import os
import subprocess
import sys

import tools


class Bundle:
    """`layers`: the image of many layers comes along."""

    def __init__(self, work, image_sets, layers=False):
        lab, many = image_sets
        folder, port = work.folder("bundle"), tools.free_port()
        site = f"{tools.LAB}/site"
        if not os.path.exists(f"{site}/dl.k8s.io"):
            sys.exit(f"{site} has no programs; tests/lab/up makes them")
        files = work.start([sys.executable, "-m", "http.server", "--bind", "127.0.0.1",
                            "--directory", site, str(port)])
        registry, web = f"127.0.0.1:{lab.port}", f"127.0.0.1:{port}"
        tools.wait_for(f"http://{web}/")
        command = [tools.KBUNDLE, "--progress", "quiet", "build", "v1.18.2", "-o", folder,
                   "--cache", f"{folder}/cache", "--without", "crictl"]
        for host in ("k8s.gcr.io", "quay.io"):
            command += ["--mirror", f"{host}={registry}"]
        for host in ("dl.k8s.io", "github.com", "raw.githubusercontent.com"):
            command += ["--mirror", f"{host}=http://{web}/{host}"]
        if layers:
            command += ["--image", f"127.0.0.1:{many.port}/{many.images[0]}"]
        for host in (registry, web, f"127.0.0.1:{many.port}"):
            command += ["--plain-http", host]
        done = subprocess.run(command, env=work.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"no bundle: {done.stderr}")
        subprocess.run(["rm", "-rf", f"{folder}/cache"], check=True)
        work.stop(files)
        self.path = f"{folder}/kubernetes-v1.18.2-linux-amd64.tar.zst"
        shown = subprocess.run([tools.KBUNDLE, "key", "show", f"{folder}/kbundle.pub"],
                               env=work.environment, capture_output=True, text=True, check=True)
        fingerprint = next(line.split()[1] for line in shown.stdout.splitlines()
                           if line.split()[:1] == ["id"])
        self.trust = ["--key", f"{folder}/kbundle.pub", "--key-fingerprint", fingerprint]
