#!/usr/bin/env bash
# Documents per second by strategy, beside llama.cpp under the same languages as GBNF grammars; see docs/performance.md.
#
#   scripts/strategy-peers.sh [--limit 32] [--rounds 2] [--threads 2] [--weights file] [--batch 1,16]
#                             [--formats inline-xml,bio-words,json-list] [--peer-formats json-list,inline-xml]
#                             [--out target/strategy-peers] [--write docs/performance.md]
#
# --formats are decoded at level grounded by our strategies alone; --peer-formats at level syntax by ours (at every
# --batch) and by llama.cpp, on the same prompts: any that have a grammar in benches/peers/gbnf. --weights (one or more)
# are ours, llama.cpp's are the file itself and its rewrite as F16. --write puts the table into the page, between its
# marks. The machine should do nothing else.
#
# Wants: BC5CDR where $GRAMASK_DATA says; SmolLM2-135M-Instruct at $GRAMASK_MODEL or in the cache of `gramask pull`;
# Python 3 with venv; a C++ compiler for llama.cpp (some 15 minutes of processor time, once).
# Environment: CARGO (the command for this workspace's programs), LLAMA_VENV (a Python environment with llama-cpp-python
# and gguf).
set -euo pipefail
cd "$(dirname "$0")/.."

limit=32 rounds=2 threads=2 weights=file batch=1,16 out=target/strategy-peers page=
formats=inline-xml,bio-words,json-list peer_formats=json-list,inline-xml peer_batch=1,4,8,16
while [ $# -gt 0 ]; do
    case "$1" in
        --limit) limit=$2 ;;
        --rounds) rounds=$2 ;;
        --threads) threads=$2 ;;
        --weights) weights=$2 ;;
        --batch) batch=$2 ;;
        --formats) formats=$2 ;;
        --peer-formats) peer_formats=$2 ;;
        --out) out=$2 ;;
        --write) page=$2 ;;
        *) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 2 ;;
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
${CARGO:-cargo} build --release -p gramask-benches --example strategy_speed >&2
ours=${CARGO_TARGET_DIR:-target}/release/examples/strategy_speed

venv=${LLAMA_VENV:-$out/venv}
if [ ! -x "$venv/bin/python" ]; then
    echo "building llama.cpp for this processor (some 15 minutes of processor time, once)" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet llama-cpp-python==0.3.36 gguf numpy >&2
fi
python=$venv/bin/python
if [ ! -f "$out/F16.gguf" ]; then
    "$python" benches/peers/llama_decode.py --write F16 "$model" "$out/part.gguf" 2>/dev/null
    mv "$out/part.gguf" "$out/F16.gguf"
fi

export RAYON_NUM_THREADS=$threads PEER_THREADS=$threads OMP_NUM_THREADS=$threads
"$ours" --export "$out/work.jsonl" --limit "$limit" --formats "$peer_formats"

read -r load _ </proc/loadavg 2>/dev/null || load=0
if [ "${load%.*}" -ge 1 ]; then
    echo "the machine is busy (load average $load): these figures will be too low, and of little use for comparison" >&2
fi

# llama.cpp at its best: how its cache is kept and attention computed is chosen for each weight type on this machine.
echo "looking for llama.cpp's fastest settings" >&2
tuned_file=$("$python" benches/peers/llama_grammar.py "$model" Q4_1 "$out/work.jsonl" --tune)
tuned_f16=$("$python" benches/peers/llama_grammar.py "$out/F16.gguf" F16 "$out/work.jsonl" --tune)

runs=()
for kind in ${weights//,/ }; do
    for format in ${formats//,/ }; do
        runs+=("$ours --limit $limit --weights $kind --batch $batch --formats $format --strategies unconstrained,masked,jump,draft")
    done
done
for format in ${peer_formats//,/ }; do
    for kind in ${weights//,/ }; do
        runs+=("$ours --limit $limit --weights $kind --batch $batch --formats $format --level syntax --strategies masked,jump,draft --outputs $out/ours-$format-$kind.jsonl")
    done
    for peer in "$model Q4_1 $tuned_file" "$out/F16.gguf F16 $tuned_f16"; do
        read -r file name tuned <<<"$peer"
        runs+=("$python benches/peers/llama_grammar.py $file $name $out/work.jsonl $tuned --formats $format --batch $peer_batch --modes grammar --outputs $out/llama-$format-$name.jsonl")
    done
done
# Without the grammar once, to see what it costs.
plain=("$python benches/peers/llama_grammar.py $model Q4_1 $out/work.jsonl $tuned_file --formats ${peer_formats%%,*} --batch 1,16 --modes unconstrained")

# Each round in the other direction, so that a machine that slows down or warms up favours nobody.
rows=$out/rows.jsonl
: >"$rows"
rm -f "$out"/llama-*.jsonl "$out"/ours-*.jsonl
run() {
    echo "$1" >&2
    # shellcheck disable=SC2086 # words on purpose
    $1 >>"$rows" 2>"$out/last-error.txt" || { cat "$out/last-error.txt" >&2; exit 1; }
}
for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    order=$(seq 0 $((${#runs[@]} - 1)))
    if [ $((round % 2)) = 0 ]; then order=$(seq $((${#runs[@]} - 1)) -1 0); fi
    for index in $order; do
        command=${runs[$index]}
        # Later rounds measure only the two batch sizes at which llama.cpp was fastest: one of them is its best.
        if [ "$round" -gt 1 ] && [[ $command = *llama_grammar.py* ]]; then command+=" --again $rows"; fi
        run "$command"
    done
done
run "${plain[0]}"

# The two sides write the same language: our reader reads what llama.cpp wrote, its grammars accept what we wrote.
cat "$out"/llama-*-*.jsonl >"$out/llama.jsonl"
"$ours" --read "$out/llama.jsonl" --limit "$limit" --formats "$peer_formats" >"$out/read.jsonl"
cat "$out"/ours-*-*.jsonl >"$out/ours.jsonl"
"$python" benches/peers/llama_grammar.py "$model" Q4_1 "$out/ours.jsonl" --accepts >"$out/accepted.jsonl" || true
"$python" benches/peers/strategy_table.py "$rows" "$out/read.jsonl" "$out/accepted.jsonl" ${page:+"$page"} | tee "$out/table.md"
