#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, runs all tests. Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
scripts/install-deps tests
make -j"$(nproc)"
make -j"$(nproc)" check
