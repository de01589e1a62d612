#!/bin/sh
# Writes the lock files: each version with the hashes of all its files, for Python 3.11 and up on any machine.
# Needs uv. Versions that are locked stay (UPGRADE=1: the newest). The small files take theirs from the large one.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}

compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --no-emit-find-links "$@"
}

build=$(sed -n 's/^requires = \["\(hatchling[^"]*\)"\]$/\1/p' pyproject.toml)
test -n "$build"

compile ${UPGRADE:+--upgrade} --all-extras --output-file requirements.lock pyproject.toml
compile --upgrade --constraint requirements.lock --output-file requirements-run.lock pyproject.toml
echo "$build" | compile --upgrade --constraint requirements.lock --output-file requirements-build.lock -
echo "$build" | compile --upgrade --constraint requirements.lock --extra hil --extra fast \
    --output-file requirements-demo.lock pyproject.toml -

# What judges needs a newer Python, and shares nothing with the others.
"$uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url \
    --no-emit-find-links ${UPGRADE:+--upgrade} --output-file witness/requirements.lock witness/requirements.in

"$uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url \
    --no-emit-find-links ${UPGRADE:+--upgrade} --override witness/home_assistant.overrides \
    --output-file witness/home_assistant.lock witness/home_assistant.in

python3 -m tools.sbom
