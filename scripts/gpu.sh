#!/usr/bin/env bash
# Conformance and benchmarks on a GPU machine that has no Rust and no package registry.
#
#   scripts/gpu.sh pack [DIR]             build here, and pack everything that is needed into DIR [target/gpu]
#   scripts/gpu.sh run DIR [PART...]      there: unpack and run, results into $OUT [DIR/results]
#
#   scripts/gpu.sh plan                   what `run` does, in its order, with the limit of each part
#
# The parts of `run`, all of them where none is named, in this order, so that a machine that is taken away loses little:
#   devices   what both binaries list
#   conform   CUDA and Vulkan, in every float type that the device has: the quick device check
#   train     the training curve against the CPU's, then the adapters of the study, in the order of their value
#   eval      the test parts decoded with each adapter that there is, 256 documents at once
#   kernels   each kernel against its unfused reference
#   decode    prefill and decoding by batch, context and weights, masked and not
#   peers     the same by PyTorch, Triton and transformers, where Python has them
#   full      the whole device check
# A part whose binary, device, library or data is missing is skipped, with a line that says so. $OUT/summary.txt says how
# each came out. After each part $OUT/results.tar.gz has all logs, JSON and CSV so far, and $OUT/adapters.tar the adapters.
#
# The model is packed apart, in pieces that are put together there, and so are the benches: copy the pieces beside gpu.tar.xz, in
# one call or several.
#
# Environment of `pack`: CARGO, BACK_ENDS ("cuda wgpu"), CUDARC_CUDA_VERSION (13000: the oldest driver to work with), GRAMASK_DATA,
# KERNELS (a folder of kernels that scripts/cuda/nvrtc.c keeps: they are not compiled again there), CURVE (the curve.csv of the
# first steps on the CPU: they are not computed again there).
# Environment of `run`: OUT, SMALL=1 (small sizes, for a rehearsal on software), LIMIT (seconds for each part, in place of
# those of `plan`), JOBS (trainings and tests at once [6]), WORK (a folder in which things are unpacked once for several runs),
# CUDA_PATH (where NVRTC and CUDA's headers are; else the toolkit's folder, else the wheels of Python's site-packages).
set -euo pipefail

usage() {
    sed -n '2,/^set -/s/^# \{0,1\}//p' "$0"
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
    cp scripts/gpu.sh scripts/compare-curves.py benches/peers/torch_{kernels,decode,train}.py "$stage"
    # What the trainings need: their files, and the corpora, which are never committed.
    mkdir -p "$stage/tree/scripts" "$stage/data"
    cp scripts/study.sh "$stage/tree/scripts"
    cp -r experiments "$stage/tree/experiments"
    rm -rf "$stage/tree/experiments"/{results,adapters}
    local corpora=${GRAMASK_DATA:-../shared/data} corpus
    for corpus in bc5cdr ncbi-disease bc2gm pgxcorpus; do
        if [ -d "$corpora/$corpus" ]; then cp -rL "$corpora/$corpus" "$stage/data/"; else echo "$corpora/$corpus is missing: nothing is trained on it" >&2; fi
    done
    # Kernels that were compiled ahead, and the library that hands them out in NVRTC's place.
    if [ -d "${KERNELS:-}" ]; then
        mkdir -p "$stage/lib" "$stage/kernels"
        cc -shared -fPIC -O1 -o "$stage/lib/libnvrtc.so" scripts/cuda/nvrtc.c -ldl
        cp "$KERNELS"/* "$stage/kernels/"
    fi
    if [ -f "${CURVE:-}" ]; then cp "$CURVE" "$stage/curve-cpu.csv"; fi
    chmod -R u+w "$stage"
    local model=${GRAMASK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gramask}/models/smollm2-135m-instruct
    if [ -d "$model" ]; then
        rm -f "$into"/model.tar.xz.*
        tar -C "$model/.." -c smollm2-135m-instruct | xz -T0 -6 | split -b 40M -d - "$into/model.tar.xz."
    else
        echo "$model is missing: \`gramask pull smollm2-135m-instruct\`; nothing is trained" >&2
    fi
    rm -f "$into"/benches.tar.xz
    (cd "$stage" && tar -c kernels-* decode-* | xz -T0 -6) >"$into/benches.tar.xz"
    rm -f "$stage"/kernels-* "$stage"/decode-*
    tar -C "$stage" -c . | xz -T0 -6 >"$into/gpu.tar.xz"
    rm -rf "$stage"
    cp scripts/gpu.sh "$into"
    ls -l "$into"/*.tar.xz* >&2
    echo "there: bash gpu.sh run DIR, where DIR has gpu.sh, gpu.tar.xz, benches.tar.xz and model.tar.xz.*" >&2
}

# The parts, the seconds that each may take, and what it is for.
parts() {
    cat <<END
devices 20 what the binaries list
conform 90 the quick device check, in every float type
train 240 the curve against the CPU's, then the study's adapters
eval 150 the test parts, with each adapter
kernels 90 kernels against their references
decode 120 prefill and decoding, masked and not
peers 90 PyTorch, Triton and transformers
full 100 the whole device check
END
}

plan() {
    parts | while read -r name seconds what; do printf '%-9s at most %4d s   %s\n' "$name" "$seconds" "$what"; done
    parts | awk '{ sum += $2 } END { printf "in all    at most %4d s\n", sum }'
}

# Runs a command with a limit, and notes how it came out: `step NAME COMMAND...`.
step() {
    local name=$1 begin=$SECONDS code=0
    shift
    echo "== $name: $*" | tee "$out/$name.log"
    local left=$((${ends:-$((SECONDS + 540))} - SECONDS))
    if [ "$left" -le 0 ]; then skip "$name" "no time is left for its part"; return; fi
    timeout "$left" "$@" >>"$out/$name.log" 2>&1 </dev/null || code=$?
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
    if [ ! -e /dev/nvidiactl ]; then return; fi
    # The toolkit's stub of the driver, which links and does nothing, may stand before the driver.
    LD_LIBRARY_PATH=$(tr ':' '\n' <<<"${LD_LIBRARY_PATH:-}" | sed '/\/stubs\/*$/d; /^$/d' | paste -sd :)
    export LD_LIBRARY_PATH
    if [ -n "${CUDA_PATH:-}" ]; then return; fi
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
    libraries=$(find "${CUDA_PATH:-/usr/local}" /usr/local/lib /usr/lib /opt ! -path '*/stubs/*' -name 'libnvrtc.so*' -printf '%h\n' 2>/dev/null |
        sort -u | tr '\n' ':' || true)
    if [ -n "$folder" ]; then libraries+=$(find "$(dirname "$folder")" -name 'libnvrtc.so*' -printf '%h:' 2>/dev/null || true); fi
    if [ -d /usr/local/nvidia/lib64 ]; then libraries+=/usr/local/nvidia/lib64:; fi
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:-}
}

# Kernels that were packed are handed out in NVRTC's place; what is missing among them is compiled and kept.
use_kernels() {
    if [ ! -f "$work/lib/libnvrtc.so" ]; then return; fi
    local real
    real=$(tr ':' '\n' <<<"${LD_LIBRARY_PATH:-}" | while read -r folder; do
        if [ -n "$folder" ]; then find "$folder" -maxdepth 1 -name 'libnvrtc.so.*' ! -name '*alt*'; fi
    done | head -n 1)
    if [ -z "$real" ]; then return; fi
    export GRAMASK_NVRTC=$real GRAMASK_NVRTC_CACHE=$work/kernels LD_LIBRARY_PATH=$work/lib:$LD_LIBRARY_PATH
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

check_devices() {
    local back_end device dtype
    for back_end in cuda wgpu; do
        if ! device=$(device_of $back_end); then skip "conform-$back_end" "$(why_not $back_end)"; continue; fi
        for dtype in $(float_types $back_end "$device"); do
            # shellcheck disable=SC2086 # words on purpose
            step "conform-$back_end-$dtype" "$work/gramask-$back_end" conform --device "$device" --dtype "$dtype" \
                $1 --json "$out/conform-$back_end-$dtype.json"
        done
    done
}

part_conform() { check_devices --quick; }
part_full() { check_devices "${SMALL:+--quick}"; }

# The program with which trainings and tests run: CUDA's where there is a device for it.
trainer() {
    local back_end
    for back_end in cuda wgpu; do
        if device=$(device_of $back_end); then
            program=$work/gramask-$back_end
            return
        fi
    done
    return 1
}

ready_to_train() {
    trainer || { skip "$1" "no device"; return 1; }
    if [ ! -d "$work/cache/models/smollm2-135m-instruct" ]; then skip "$1" "no model was packed"; return 1; fi
    if [ ! -d "$work/data/bc5cdr" ]; then skip "$1" "no corpora were packed"; return 1; fi
    export GRAMASK_DATA=$work/data GRAMASK_CACHE=$work/cache GRAMASK_OFFLINE=1 GRAMASK=$program DEVICE=$device
}

# Waits until fewer than $JOBS steps run beside each other.
room() {
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-6}" ]; do wait -n || true; done
}

# A step that runs beside others, and what is kept of it.
train_one() {
    step "train-$1" scripts/study.sh train "$1"
    if [ -f "runs/study/$1/curve.csv" ]; then
        mkdir -p "$out/train-$1"
        cp "runs/study/$1"/{run.json,curve.csv,validation.csv} "$out/train-$1/" 2>/dev/null || true
    fi
}

part_train() {
    ready_to_train train || return 0
    cd "$work/tree"
    local steps=20 name
    if [ -n "${SMALL:-}" ]; then steps=2; fi
    local file=experiments/study/train.toml
    sed "s/^\[training\]/[training]\nsteps = $steps/; /^\[validation\]/,\$d" $file >curve.toml
    if [ -f "$work/curve-cpu.csv" ] && [ -z "${SMALL:-}" ]; then
        cp "$work/curve-cpu.csv" "$out/curve-cpu.csv"
    else
        step train-curve-cpu "$program" train curve.toml --device flex --out runs/curve-cpu
        if [ -f runs/curve-cpu/curve.csv ]; then cp runs/curve-cpu/curve.csv "$out/curve-cpu.csv"; fi
    fi
    step train-curve-gpu "$program" train curve.toml --device "$device" --out runs/curve-gpu
    if [ -f runs/curve-gpu/curve.csv ]; then cp runs/curve-gpu/curve.csv "$out/curve-gpu.csv"; fi
    step train-curve-compare python3 "$work/compare-curves.py" "$out/curve-cpu.csv" "$out/curve-gpu.csv"
    if [ -n "${SMALL:-}" ]; then cd - >/dev/null; return; fi
    # The longest first: those of many formats.
    for name in $(scripts/study.sh list | awk '{ print ($4 == "one"), $1 }' | sort -s -n | cut -d' ' -f2); do
        room
        train_one "$name" &
    done
    wait
    # In pieces, because a file that comes back may have a limit.
    rm -f "$final"/adapters.tar.*
    if [ -d experiments/adapters/study ]; then tar -c experiments/adapters/study | split -b 15M -d - "$final/adapters.tar."; fi
    cd - >/dev/null
}

eval_one() {
    local name=$1 corpus=$2 formats=$3
    shift 3
    step "eval-$name" "$program" run "experiments/study/test-$corpus.toml" --formats "$formats" \
        --adapter "experiments/adapters/study/$name" --device "$device" --batch 256 "$@" --out "runs/test/$name"
    for file in run.json scores.csv summary.csv; do
        if [ -f "runs/test/$name/$file" ]; then mkdir -p "$out/test-$name"; cp "runs/test/$name/$file" "$out/test-$name/"; fi
    done
}

part_eval() {
    ready_to_train eval || return 0
    cd "$work/tree"
    local name corpus formats limit=()
    if [ -n "${SMALL:-}" ]; then limit=(--limit 2); fi
    while read -r name corpus formats _; do
        if [ ! -d "experiments/adapters/study/$name" ]; then skip "eval-$name" "no adapter"; continue; fi
        room
        eval_one "$name" "$corpus" "$formats" "${limit[@]}" &
    done < <(scripts/study.sh list)
    wait
    cd - >/dev/null
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

# Unpacks what is in a folder and was not unpacked before. The model waits for its last piece.
unpack() {
    if [ ! -x "$work/gramask-cuda" ] && [ ! -x "$work/gramask-wgpu" ]; then
        if [ -f "$1/gpu.tar.xz" ]; then tar -C "$work" -xJf "$1/gpu.tar.xz"; else cp -r "$1"/. "$work"; fi
    fi
    if [ -f "$1/benches.tar.xz" ] && [ ! -x "$work/decode-cuda" ]; then tar -C "$work" -xJf "$1/benches.tar.xz"; fi
    if ls "$1"/model.tar.xz.* >/dev/null 2>&1 && [ ! -d "$work/cache/models/smollm2-135m-instruct" ]; then
        rm -rf "$work/model"
        mkdir -p "$work/model" "$work/cache/models"
        if cat "$1"/model.tar.xz.* | tar -C "$work/model" -xJ 2>/dev/null; then mv "$work/model"/* "$work/cache/models/"; fi
    fi
}

run() {
    local folder=${1:?DIR}
    shift
    out=${OUT:-$folder/results}
    if [ -n "${WORK:-}" ]; then
        work=$WORK
    else
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
    fi
    mkdir -p "$out" "$work"
    folder=$(realpath "$folder")
    work=$(realpath "$work")
    final=$(realpath "$out")
    out=$work/results
    mkdir -p "$out"
    unpack "$folder"
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$work} NO_COLOR=1
    echo "$(date -u +%FT%TZ) $(uname -srm)" >>"$out/summary.txt"
    find_cuda
    use_kernels
    echo "CUDA_PATH=${CUDA_PATH:-} LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-} GRAMASK_NVRTC=${GRAMASK_NVRTC:-}" >>"$out/summary.txt"
    local wanted=("$@") part seconds
    while read -r part seconds _; do
        if [ ${#wanted[@]} -gt 0 ] && [[ ! " ${wanted[*]} " == *" $part "* ]]; then continue; fi
        ends=$((SECONDS + ${LIMIT:-$seconds}))
        "part_$part"
        cp "$out/summary.txt" "$final/"
        tar -C "$out" -czf "$final/results.tar.gz" .
    done < <(parts)
    echo "results are in $final"
}

case "${1:-}" in
    pack) pack "${2:-}" ;;
    plan) plan ;;
    run) shift; [ $# -ge 1 ] || usage; run "$@" ;;
    *) usage ;;
esac
