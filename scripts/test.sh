#!/usr/bin/env bash
# Runs every test: units, laws, documentation examples, golden files of the real model.
#
#   scripts/test.sh                         the default features: the CPU
#   scripts/test.sh --features wgpu,cuda    the GPU back ends too: WGPU's tests run on whatever adapter there is
#
# The golden files need the model, the corpus tests need the corpora: where one is missing, its tests say so and are
# skipped. GRAMASK_OFFLINE=1 leaves the model where it is; GRAMASK_DATA names the folder of the corpora.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace --release --no-run "$@"
if [ -z "${GRAMASK_OFFLINE:-}" ]; then
    target/release/gramask pull smollm2-135m-instruct ||
        echo "scripts/test.sh: the model could not be pulled; tests that need it are skipped" >&2
fi
python3 scripts/mini-corpus.py --check
cargo test --workspace --release "$@"
