#!/bin/sh
# `pip.sh PYTHON ARGUMENT…`: the pip of that Python, asking nothing. Where packages come from is this machine's matter;
# where they go, and which they are, is not: settings for that are meant for other work.
set -eu
python=$1
shift
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON
# Set, since an environment variable goes before pip.conf.
export PIP_USER=0 PIP_CONSTRAINT=/dev/null PIP_REQUIRE_HASHES=0
# -I: what lies on PYTHONPATH would count as installed.
exec "$python" -I -m pip --no-input --disable-pip-version-check "$@"
