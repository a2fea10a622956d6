#!/usr/bin/env python3
"""Pushes an image with one large layer of random bytes.

usage: large_image.py REGISTRY_URL REPOSITORY:TAG BYTES
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))
import upstream  # noqa: E402

registry, name, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
upstream.tar_gz = (lambda make: lambda members: make(
    [(path, content + os.urandom(size)) for path, content in members]))(upstream.tar_gz)
upstream.push_image(registry, "host/" + name)
