#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment, and runs its tests, which run the examples, and the quickstart in an
# empty folder. What needs PyTorch is skipped, with a line, where it is missing.
#
#   scripts/test-python.sh             builds with the features of FEATURES ("wgpu")
#   WITH="torch transformers" scripts/test-python.sh      installs these too, so that nothing is skipped
#
# The workspace's target folder is used, so that dependencies are compiled once for both.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
work=$target/python
rm -rf "$work"
mkdir -p "$work/wheel" "$work/empty"

python3 -m venv "$work/build"
"$work/build/bin/pip" install -q "maturin>=1.9,<2"
CARGO_TARGET_DIR=$target "$work/build/bin/maturin" build -q --release --locked --features "${FEATURES:-wgpu}" \
    -m crates/gramask-python/Cargo.toml --out "$work/wheel"
ls -l "$work"/wheel/*.whl

python3 -m venv "$work/env"
# shellcheck disable=SC2086
"$work/env/bin/pip" install -q "$work"/wheel/*.whl pytest ${WITH:-}
python=$work/env/bin/python

# From another folder, so that the installed package is tested and not its sources.
cd "$work/empty"
"$python" -m pytest -rs "$root/crates/gramask-python/tests" -p no:cacheprovider

if [ -d "${GRAMASK_CACHE:-$HOME/.cache/gramask}/models/smollm2-135m-instruct" ] || [ -z "${GRAMASK_OFFLINE:-}" ]; then
    "$work/env/bin/gramask" run quickstart --limit 1 --formats lines
    test -f runs/quickstart/summary.csv
else
    echo "the model is not in the cache: the quickstart is not run"
fi
