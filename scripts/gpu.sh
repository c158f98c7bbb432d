#!/usr/bin/env bash
# Conformance and benchmarks on a GPU machine that has no Rust and no package registry.
#
#   scripts/gpu.sh pack [DIR]             build here, and pack everything that is needed into DIR [target/gpu]
#   scripts/gpu.sh run DIR [PART...]      there: unpack and run, results into $OUT [DIR/results]
#
# The parts of `run`, all of them where none is named, in this order:
#   devices   what both binaries list
#   conform   CUDA and Vulkan, in every float type that the device has
#   kernels   each kernel against its unfused reference
#   decode    prefill and decoding by batch, context and weights, masked and not
#   peers     the same by PyTorch, Triton and transformers, where Python has them
# A part whose binary, device or library is missing is skipped, with a line that says so. $OUT/summary.txt says how each
# came out; every part has a log beside its JSON and CSV.
#
# Environment of `pack`: CARGO, BACK_ENDS ("cuda wgpu"), CUDARC_CUDA_VERSION (13000: the oldest driver to work with).
# Environment of `run`: OUT, SMALL=1 (small sizes, for a rehearsal on software), LIMIT (seconds for each command, 540),
# CUDA_PATH (where NVRTC and CUDA's headers are; else the toolkit's folder, else the wheels of Python's site-packages).
set -euo pipefail

usage() {
    sed -n '2,19s/^# \{0,1\}//p' "$0"
    exit 2
}

# The executables among cargo's messages, as `name path`.
executables() {
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] in ("gramask", "kernels", "decode"):
        print(message["target"]["name"], message["executable"])'
}

pack() {
    cd "$(dirname "$0")/.."
    local into=${1:-target/gpu}
    local stage=$into/stage
    rm -rf "$stage"
    mkdir -p "$stage"
    for back_end in ${BACK_ENDS:-cuda wgpu}; do
        echo "building for $back_end (some 30 minutes of processor time, once)" >&2
        # Targets of their own: the two feature sets would rebuild each other's dependencies.
        CUDARC_CUDA_VERSION=${CUDARC_CUDA_VERSION:-13000} CARGO_TARGET_DIR=${GPU_TARGET:-$into/build}-$back_end \
            ${CARGO:-cargo} build --release --locked -p gramask -p gramask-benches --features "$back_end" \
            --bin gramask --bench kernels --bench decode --message-format=json-render-diagnostics |
            executables | while read -r name path; do
            cp "$path" "$stage/$name-$back_end"
            strip "$stage/$name-$back_end"
        done
    done
    cp scripts/gpu.sh benches/peers/torch_kernels.py benches/peers/torch_decode.py "$stage"
    tar -C "$stage" -c . | xz -T0 -6 >"$into/gpu.tar.xz"
    rm -rf "$stage"
    cp scripts/gpu.sh "$into"
    ls -l "$into/gpu.tar.xz" >&2
    echo "there: bash gpu.sh run DIR, where DIR has gpu.sh and gpu.tar.xz" >&2
}

# Runs a command with a limit, and notes how it came out: `step NAME COMMAND...`.
step() {
    local name=$1 begin=$SECONDS code=0
    shift
    echo "== $name: $*" | tee "$out/$name.log"
    timeout "${LIMIT:-540}" "$@" >>"$out/$name.log" 2>&1 || code=$?
    local word=done
    case $code in 0) ;; 124) word="stopped at its limit" ;; *) word="failed ($code)" ;; esac
    printf '%-28s %s, %d s\n' "$name" "$word" $((SECONDS - begin)) | tee -a "$out/summary.txt"
    if [ $code != 0 ]; then tail -n 5 "$out/$name.log"; fi
}

skip() {
    printf '%-28s skipped: %s\n' "$1" "$2" | tee -a "$out/summary.txt"
}

# The first device of a back end, where its binary and the hardware are there.
device_of() {
    local binary=$work/gramask-$1
    [ -x "$binary" ] || return 1
    "$binary" devices --json 2>/dev/null | python3 -c '
import json, sys
names = [info["device"] for info in json.load(sys.stdin)["present"] if not info.get("fault")]
names = [name for name in names if name.startswith(sys.argv[1] + ":")]
print(names[0]) if names else sys.exit(1)' "$1"
}

# Why a back end has none.
why_not() {
    if [ ! -x "$work/gramask-$1" ]; then
        echo "no binary for $1 was packed"
    else
        "$work/gramask-$1" devices 2>/dev/null | grep "^$1" | sed 's/ \+/ /g' || echo "no device"
    fi
}

float_types() {
    "$work/gramask-$1" devices --json 2>/dev/null | python3 -c '
import json, sys
for info in json.load(sys.stdin)["present"]:
    if info["device"] == sys.argv[1]:
        print(*info["float_types"])' "$2"
}

# NVRTC compiles the kernels and needs CUDA's headers; wheels of PyTorch bring both where there is no toolkit.
find_cuda() {
    if [ -n "${CUDA_PATH:-}" ] || [ ! -e /dev/nvidiactl ]; then return; fi
    local folder=
    for folder in /usr/local/cuda /opt/cuda; do
        if [ -f "$folder/include/cuda_fp16.h" ]; then export CUDA_PATH=$folder; break; fi
    done
    if [ -z "${CUDA_PATH:-}" ]; then
        folder=$(python3 - <<'PYTHON' 2>/dev/null || true
import pathlib, site
for root in [*site.getsitepackages(), site.getusersitepackages()]:
    for header in sorted(pathlib.Path(root, "nvidia").glob("*/include/cuda_fp16.h")):
        print(header.parent.parent); raise SystemExit
PYTHON
        )
        if [ -n "$folder" ]; then export CUDA_PATH=$folder; fi
    fi
    local libraries
    libraries=$(find "${CUDA_PATH:-/usr/local}" /usr/local/lib /usr/lib /opt -name 'libnvrtc.so*' -printf '%h\n' 2>/dev/null |
        sort -u | tr '\n' ':' || true)
    if [ -n "$folder" ]; then libraries+=$(find "$(dirname "$folder")" -name 'libnvrtc.so*' -printf '%h:' 2>/dev/null || true); fi
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:-}
    echo "CUDA_PATH=${CUDA_PATH:-} LD_LIBRARY_PATH=$LD_LIBRARY_PATH" >>"$out/summary.txt"
}

part_devices() {
    local back_end
    for back_end in cuda wgpu; do
        if [ -x "$work/gramask-$back_end" ]; then
            step "devices-$back_end" "$work/gramask-$back_end" devices --json
        else
            skip "devices-$back_end" "no binary for $back_end was packed"
        fi
    done
    if command -v nvidia-smi >/dev/null; then step nvidia-smi nvidia-smi; fi
}

part_conform() {
    local back_end device dtype
    for back_end in cuda wgpu; do
        if ! device=$(device_of $back_end); then skip "conform-$back_end" "$(why_not $back_end)"; continue; fi
        for dtype in $(float_types $back_end "$device"); do
            # shellcheck disable=SC2086 # words on purpose
            step "conform-$back_end-$dtype" "$work/gramask-$back_end" conform --device "$device" --dtype "$dtype" \
                ${SMALL:+--quick} --json "$out/conform-$back_end-$dtype.json"
        done
    done
}

part_kernels() {
    local back_end device sizes=(--batch 1,8,64,256 --vocab 49152,128256,151936)
    if [ -n "${SMALL:-}" ]; then sizes=(--batch 1,8 --vocab 49152 --context 128 --copy-mb 64 --round-ms 20); fi
    for back_end in cuda wgpu; do
        if [ ! -x "$work/kernels-$back_end" ] || ! device=$(device_of $back_end); then
            skip "kernels-$back_end" "$(why_not $back_end)"
            continue
        fi
        step "kernels-$back_end" "$work/kernels-$back_end" --device "$device" "${sizes[@]}" \
            --csv "$out/kernels-$back_end.csv"
    done
}

part_decode() {
    local back_end device model models=(seeded-135m seeded-0.5b) sizes=(--batch 1,8,64,256 --context 64,512 --weights f16)
    if [ -n "${SMALL:-}" ]; then models=(seeded-small) sizes=(--batch 1,8 --context 64 --steps 8 --weights f32); fi
    for back_end in cuda wgpu; do
        if [ ! -x "$work/decode-$back_end" ] || ! device=$(device_of $back_end); then
            skip "decode-$back_end" "$(why_not $back_end)"
            continue
        fi
        for model in "${models[@]}"; do
            step "decode-$back_end-$model" "$work/decode-$back_end" --device "$device" --model "$model" "${sizes[@]}" \
                --csv "$out/decode-$back_end-$model.csv"
        done
    done
}

part_peers() {
    if ! python3 -c 'import torch' 2>/dev/null; then skip peers "Python has no torch"; return; fi
    local small=${SMALL:+--small}
    # shellcheck disable=SC2086 # words on purpose
    step torch-kernels python3 "$work/torch_kernels.py" $small --csv "$out/torch-kernels.csv"
    if ! python3 -c 'import transformers' 2>/dev/null; then skip torch-decode "Python has no transformers"; return; fi
    # shellcheck disable=SC2086 # words on purpose
    step torch-decode python3 "$work/torch_decode.py" $small --csv "$out/torch-decode.csv"
}

run() {
    local folder=${1:?DIR}
    shift
    out=${OUT:-$folder/results}
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$out"
    if [ -f "$folder/gpu.tar.xz" ]; then tar -C "$work" -xJf "$folder/gpu.tar.xz"; else cp -r "$folder"/. "$work"; fi
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work} NO_COLOR=1
    echo "$(date -u +%FT%TZ) $(uname -srm)" >>"$out/summary.txt"
    find_cuda
    local parts=("$@") part
    if [ ${#parts[@]} = 0 ]; then parts=(devices conform kernels decode peers); fi
    for part in "${parts[@]}"; do "part_$part"; done
    echo "results are in $out"
}

case "${1:-}" in
    pack) pack "${2:-}" ;;
    run) shift; [ $# -ge 1 ] || usage; run "$@" ;;
    *) usage ;;
esac
