#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds lb, starts it with three demo servers, and says what to try.
set -eu
cd "$(dirname "$0")/.."

scripts/install-deps build
make -j"$(nproc)"
./lb -c -f examples/quickstart.cfg

cat <<'TEXT'

lb is starting on port 8080 with three demo servers behind it. In another terminal, try:

    curl localhost:8080                    # again and again: one, two, three
    curl localhost:8080/metrics
    echo 'set server demo/two state maint' | socat stdio /tmp/lb-quickstart.sock

Stop it with Ctrl-C.

TEXT
exec ./lb -f examples/quickstart.cfg
