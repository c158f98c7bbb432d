#!/usr/bin/env bash
# Decoding speed of Gramask, candle and llama.cpp on the same weights, prompt and threads; see docs/performance.md.
#
#   scripts/peers.sh [--rounds 3] [--tokens 128] [--threads 2] [--out target/peers] [--write docs/performance.md]
#
# Wants: SmolLM2-135M-Instruct at $GRAMASK_MODEL or in the cache of `gramask pull`; Python 3 with venv; a C++ compiler
# for llama.cpp. The first run also builds candle (some 6 minutes of processor time) and llama.cpp (some 15), which
# later runs find under the --out folder. A run of 3 rounds takes some 10 minutes. The machine should do nothing else.
# --write puts the table into the page, between its marks.
#
# Environment: CARGO (the command for this workspace's programs), PEERS_TARGET (candle's target folder),
# LLAMA_VENV (a Python environment with llama-cpp-python and gguf).
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3 tokens=128 threads=2 out=target/peers page=
while [ $# -gt 0 ]; do
    case "$1" in
        --rounds) rounds=$2 ;;
        --tokens) tokens=$2 ;;
        --threads) threads=$2 ;;
        --out) out=$2 ;;
        --write) page=$2 ;;
        *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift 2
done
mkdir -p "$out"

model=${GRAMASK_MODEL:-${GRAMASK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gramask}/models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf}
if [ ! -f "$model" ]; then
    echo "$model is not there: \`gramask pull smollm2-135m-instruct\`, or set GRAMASK_MODEL" >&2
    exit 1
fi

echo "building Gramask" >&2
${CARGO:-cargo} build --release -p gramask-benches --example decode_speed --example bandwidth >&2
${CARGO:-cargo} build --release -p gramask-model --example export >&2
ours=${CARGO_TARGET_DIR:-target}/release/examples

echo "building candle for this processor, as it recommends (some 6 minutes of processor time, once)" >&2
peers=${PEERS_TARGET:-$out/candle}
CARGO_TARGET_DIR=$peers RUSTFLAGS="-C target-cpu=native" \
    cargo build --release --locked --manifest-path benches/peers/Cargo.toml >&2

venv=${LLAMA_VENV:-$out/venv}
if [ ! -x "$venv/bin/python" ]; then
    echo "building llama.cpp for this processor (some 15 minutes of processor time, once)" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet llama-cpp-python==0.3.36 gguf numpy >&2
fi
python=$venv/bin/python

# The same weights in the forms that the others read. `f32` is the same for all, number by number.
if [ ! -f "$out/f32/model.safetensors" ]; then
    "$ours/export" "$model" "$out/f32" f32 >&2
fi
for kind in F32 F16; do
    if [ ! -f "$out/$kind.gguf" ]; then
        "$python" benches/peers/llama_decode.py --write "$kind" "$model" "$out/part.gguf" 2>/dev/null
        mv "$out/part.gguf" "$out/$kind.gguf"
    fi
done

export RAYON_NUM_THREADS=$threads PEER_THREADS=$threads OMP_NUM_THREADS=$threads
prompt=benches/peers/prompt.txt
runs=()
for batch in 1 8 16; do
    runs+=("$ours/decode_speed $model f32 $batch $prompt $tokens")
    runs+=("$ours/decode_speed $model f16 $batch $prompt $tokens")
    runs+=("$ours/decode_speed $model q8_0 $batch $prompt $tokens")
    runs+=("$ours/decode_speed $model file $batch $prompt $tokens")
done
for batch in 1 8; do
    runs+=("$peers/release/candle-decode $out/f32 f32 $batch $prompt $tokens")
    runs+=("$peers/release/candle-decode $out/f32 f16 $batch $prompt $tokens")
    runs+=("$python benches/peers/llama_decode.py $out/F32.gguf f32 $batch $prompt $tokens")
    runs+=("$python benches/peers/llama_decode.py $out/F16.gguf f16 $batch $prompt $tokens")
    runs+=("$python benches/peers/llama_decode.py $model Q4_1 $batch $prompt $tokens")
done
runs+=("$peers/release/candle-decode $model Q4_1 1 $prompt $tokens")

read -r load _ </proc/loadavg 2>/dev/null || load=0
if [ "${load%.*}" -ge 1 ]; then
    echo "the machine is busy (load average $load): these figures will be too low, and of little use for comparison" >&2
fi

# Each round in the other direction, so that a machine that slows down or warms up favours nobody.
rows=$out/rows.jsonl
: >"$rows"
for round in $(seq "$rounds"); do
    "$ours/bandwidth" "$threads" >>"$rows"
    order=$(seq 0 $((${#runs[@]} - 1)))
    if [ $((round % 2)) = 0 ]; then order=$(seq $((${#runs[@]} - 1)) -1 0); fi
    for index in $order; do
        echo "round $round of $rounds: ${runs[$index]}" >&2
        # shellcheck disable=SC2086 # words on purpose
        ${runs[$index]} >>"$rows" 2>"$out/last-error.txt" || { cat "$out/last-error.txt" >&2; exit 1; }
    done
    "$ours/bandwidth" "$threads" >>"$rows"
done
"$python" benches/peers/table.py "$rows" "$out/peers.csv" ${page:+"$page"} | tee "$out/peers.md"
