#!/usr/bin/env python3
"""push: puts one image, made of gzip layers, into a registry by the OCI distribution API.

push.py --registry http://HOST:PORT --kind docker|docker-list|oci-index --config FILE
        --as REPOSITORY:TAG [--as ...] LAYER.tar.gz...

A list or index has two platforms: linux/amd64, the image itself, and linux/arm64, a stand-in of
one empty layer. FILE is the image's run configuration in JSON ("Cmd", "Entrypoint", "Env", ...).
All bytes follow from the arguments, so the same layers give the same digests.
"""
import argparse
import gzip
import hashlib
import http.client
import json
import urllib.parse

DOCKER = 'application/vnd.docker.'
OCI = 'application/vnd.oci.image.'
TYPES = {
    'docker': dict(list=DOCKER + 'distribution.manifest.list.v2+json', manifest=DOCKER + 'distribution.manifest.v2+json',
                   config=DOCKER + 'container.image.v1+json', layer=DOCKER + 'image.rootfs.diff.tar.gzip'),
    'oci': dict(list=OCI + 'index.v1+json', manifest=OCI + 'manifest.v1+json',
                config=OCI + 'config.v1+json', layer=OCI + 'layer.v1.tar+gzip'),
}
CREATED = '2020-04-16T12:00:00Z'
EMPTY_LAYER = gzip.compress(b'\0' * 1024, mtime=0)


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data, **more):
    return dict(mediaType=media_type, size=len(data), digest=digest(data), **more)


class Repository:
    def __init__(self, registry, name):
        self.url, self.base = urllib.parse.urlsplit(registry), f'/v2/{name}/'

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.url.netloc)
        connection.request(method, urllib.parse.urljoin(self.base, path), body, headers or {})
        answer = connection.getresponse()
        answer.text = answer.read()
        return answer

    def demand(self, status, *request):
        answer = self.ask(*request)
        if answer.status != status:
            raise SystemExit(f'{request[0]} {self.base}{request[1]}: {answer.status} {answer.text[:300]}')
        return answer

    def put_blob(self, data):
        if self.ask('HEAD', 'blobs/' + digest(data)).status == 200:
            return
        location = self.demand(202, 'POST', 'blobs/uploads/').getheader('Location')
        url = urllib.parse.urlsplit(location)
        self.demand(201, 'PUT', f'{url.path}?{url.query}&digest={digest(data)}', data)

    def put_manifest(self, reference, media_type, data):
        self.demand(201, 'PUT', 'manifests/' + reference, data, {'Content-Type': media_type})


def image(types, arch, config, layers):
    """The config blob and the manifest of one platform."""
    blob = json.dumps({
        'architecture': arch, 'os': 'linux', 'created': CREATED, 'config': config,
        'history': [{'created': CREATED, 'created_by': 'kbundle lab'} for _ in layers],
        'rootfs': {'type': 'layers', 'diff_ids': [digest(gzip.decompress(layer)) for layer in layers]},
    }, separators=(',', ':')).encode()
    manifest = dict(schemaVersion=2, mediaType=types['manifest'], config=descriptor(types['config'], blob),
                    layers=[descriptor(types['layer'], layer) for layer in layers])
    return blob, json.dumps(manifest, indent=3).encode()


def push(repository, tag, types, is_list, config, layers):
    platforms = [('amd64', config, layers)]
    if is_list:
        platforms.append(('arm64', {}, [EMPTY_LAYER]))
    entries = []
    for arch, run, own_layers in platforms:
        blob, manifest = image(types, arch, run, own_layers)
        for data in [*own_layers, blob]:
            repository.put_blob(data)
        repository.put_manifest(digest(manifest) if is_list else tag, types['manifest'], manifest)
        entries.append(descriptor(types['manifest'], manifest, platform=dict(architecture=arch, os='linux')))
    if is_list:
        index = json.dumps(dict(schemaVersion=2, mediaType=types['list'], manifests=entries), indent=3).encode()
        repository.put_manifest(tag, types['list'], index)
        return digest(index)
    return entries[0]['digest']


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--registry', required=True)
    parser.add_argument('--kind', required=True, choices=['docker', 'docker-list', 'oci-index'])
    parser.add_argument('--config', required=True)
    parser.add_argument('--as', dest='names', action='append', required=True)
    parser.add_argument('layers', nargs='+')
    args = parser.parse_args()
    layers = []
    for path in args.layers:
        with open(path, 'rb') as file:
            layers.append(file.read())
    with open(args.config) as file:
        config = json.load(file)
    for name in args.names:
        repository, tag = name.rsplit(':', 1)
        result = push(Repository(args.registry, repository), tag, TYPES[args.kind.split('-')[0]],
                      '-' in args.kind, config, layers)
        print(f'{result} {name}')


main()
