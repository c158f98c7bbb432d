#!/usr/bin/env bash
# Compiles all CUDA kernels that the device check, decoding and training use, on a machine without a GPU.
#
#   scripts/test-cuda.sh [PROGRAM]        PROGRAM: gramask with the back end `cuda` [target/release/gramask]
#
# scripts/cuda/driver.c stands in for the driver: it finds one device of a given architecture, and a kernel that is launched
# does nothing. So the program generates CUDA C++ as it does for a real device, and the real NVRTC compiles it. The results are
# wrong, since nothing is computed: this test looks only at what was compiled. NVRTC, CUDA's headers and `ptxas` come from
# NVIDIA's wheels.
#
# For each architecture and float type target/cuda/sm_N-TYPE/ has the PTX and kernels.csv: registers, spilled bytes and shared
# memory of each kernel, as `ptxas` reports them. The test fails if a kernel does not compile, or if fewer kernels were compiled
# than one architecture needs.
#
# Environment: TARGETS (architectures with float types, such as "90-f32 80-bf16"; all of sm_80, sm_90 and sm_100 in f32, f16 and
# bf16), PTXAS=0 (no table).
set -euo pipefail
cd "$(dirname "$0")/.."

program=${1:-target/release/gramask}
out=target/cuda
wheels=(nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-nvcc)
mkdir -p "$out"

skip() { echo "CUDA kernels are not compiled: $1"; exit 0; }

"$program" devices | grep -q '^cuda.*compiled' && skip "$program was built without \`--features cuda\`"
command -v cc >/dev/null || skip "no C compiler"
toolkit() { find -L "$out/wheels" -path '*/nvidia/cu*/include/cuda_fp16.h' -printf '%h\n' 2>/dev/null | head -n 1 | xargs -r dirname; }
if [ -z "$(toolkit)" ]; then
    python3 -m pip install -q --disable-pip-version-check --target "$out/wheels" "${wheels[@]}" || skip "no NVRTC: pip cannot install ${wheels[*]}"
fi
CUDA_PATH=$PWD/$(toolkit)
export CUDA_PATH

# The names under which the libraries are looked for.
mkdir -p "$out/lib"
cc -shared -fPIC -O1 -Wall -Wextra -o "$out/lib/libcuda.so" scripts/cuda/driver.c
find "$CUDA_PATH/lib" -name 'libnvrtc.so*' -exec ln -sf {} "$out/lib/libnvrtc.so" \;
export LD_LIBRARY_PATH=$PWD/$out/lib:$CUDA_PATH/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export CUBECL_AUTOTUNE_LEVEL=${CUBECL_AUTOTUNE_LEVEL:-minimal} GRAMASK_OFFLINE=1

"$program" devices | grep '^cuda:0'
model=1
if [ ! -d "${GRAMASK_CACHE:-$HOME/.cache/gramask}/models/smollm2-135m-instruct" ]; then
    echo "the model is not in the cache (\`gramask pull smollm2-135m-instruct\`): only the kernels of small models are compiled"
    model=0
fi

# Runs a command whose results do not matter, and keeps what it says.
compile() {
    local log=$folder/$1.log code=0
    shift
    "$@" >"$log" 2>&1 </dev/null || code=$?
    # Wrong results are a failure of the check (1). Anything else is a failure of this test.
    if [ "$code" -gt 1 ] || grep -q 'Compilation Error\|Unable to load the PTX\|panicked at' "$log"; then
        echo "FAILED ($code): $* (see $log)"
        grep -m 3 -A 12 'Compilation Error\|Unable to load the PTX\|panicked at' "$log" | cut -c 1-300 || tail -n 5 "$log"
        failed=1
    fi
}

failed=0
for target in ${TARGETS:-80-f32 80-f16 80-bf16 90-f32 90-f16 90-bf16 100-f32 100-f16 100-bf16}; do
    sm=${target%-*} type=${target#*-}
    folder=$out/sm_$sm-$type
    rm -rf "$folder"
    mkdir -p "$folder/ptx"
    export GRAMASK_SM=$sm GRAMASK_PTX_DIR=$PWD/$folder/ptx
    begin=$SECONDS
    compile conform "$program" conform --device cuda:0 --quick --dtype "$type" --json "$folder/conform.json"
    if [ "$model" = 1 ]; then
        compile decode "$program" decode --device cuda:0 --dtype "$type" --text "Naloxone reverses clonidine."
        # Training computes in f32.
        if [ "$type" = f32 ]; then
            compile train "$program" train scripts/cuda/train.toml --device cuda:0 --out "$folder/train"
        fi
    fi
    modules=$(find "$folder/ptx" -name '*.ptx' | wc -l)
    echo "sm_$sm $type: $modules kernels compiled in $((SECONDS - begin)) s"
    if [ "$modules" -lt 100 ]; then echo "FAILED: expected more than 100"; failed=1; fi
    if [ "${PTXAS:-1}" = 1 ]; then python3 scripts/cuda/registers.py "$CUDA_PATH/bin/ptxas" "$folder/ptx" "$folder/kernels.csv"; fi
done
exit $failed
