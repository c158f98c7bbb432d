#!/usr/bin/env bash
# The study of formats: trains its adapters one after the other, then decodes the test parts with each.
#
#   scripts/study.sh                   all adapters that experiments/adapters/study does not have yet, then the tests
#   scripts/study.sh train [NAME...]   these adapters; without a name, all
#   scripts/study.sh test              the test parts, with all adapters of a corpus in one run
#   scripts/study.sh list              the adapters, in the order in which they are trained; the last one is the strong one
#
# Stop it at any time: the same command goes on where it was. GRAMASK names the program (default: target/release/gramask),
# DEVICE the device of the trainings (default: flex, the CPU).
set -euo pipefail
cd "$(dirname "$0")/.."

program="${GRAMASK:-target/release/gramask}"
adapters=experiments/adapters/study
five=json-list,lines,tuples,json-offsets,inline-xml

# name | corpus | formats | mix | examples computed together
#
# `one`: each document in one format drawn at random, as many examples as an adapter of one format has. `all`: each document
# in every format, as many examples of each format. Groups of a mixture are smaller, so that a step has several formats.
# `strong`: as strong.toml says.
list() {
    cat <<END
bc5cdr-lines          bc5cdr        lines         one 16
bc5cdr-json-list      bc5cdr        json-list     one 16
bc5cdr-tuples         bc5cdr        tuples        one 16
bc5cdr-json-offsets   bc5cdr        json-offsets  one 16
bc5cdr-inline-xml     bc5cdr        inline-xml    one 16
bc5cdr-one-of-five    bc5cdr        $five         one 8
bc5cdr-each-of-five   bc5cdr        $five         all 8
ncbi-lines            ncbi-disease  lines         one 16
ncbi-json-list        ncbi-disease  json-list     one 16
ncbi-tuples           ncbi-disease  tuples        one 16
ncbi-one-of-five      ncbi-disease  $five         one 8
ncbi-each-of-five     ncbi-disease  $five         all 8
bc5cdr-strong         bc5cdr        inline-xml    strong -
END
}

train() {
    local name corpus formats mix group wanted=("$@")
    while read -r name corpus formats mix group; do
        if [ "${#wanted[@]}" -gt 0 ] && [[ ! " ${wanted[*]} " == *" $name "* ]]; then continue; fi
        if [ -e "$adapters/$name/adapter_model.safetensors" ]; then
            echo "$name: trained already"
            continue
        fi
        echo "$name: $formats on $corpus"
        local file=experiments/study/train.toml options=(--corpus "$corpus" --mix "$mix" --group "$group")
        if [ "$mix" = strong ]; then file=experiments/study/strong.toml options=(); fi
        "$program" train "$file" --name "$name" --formats "$formats" "${options[@]}" \
            --device "${DEVICE:-flex}" --out "runs/study/$name"
        mkdir -p "$adapters/$name"
        cp "runs/study/$name/best"/adapter_{config.json,model.safetensors} "$adapters/$name/"
        cp "runs/study/$name"/{run.json,curve.csv,validation.csv} "$adapters/$name/"
    done < <(list)
}

# Decodes, compares and draws; keeps what has no text of the corpora.
evaluate() {
    local corpus run results
    for corpus in bc5cdr ncbi-disease; do
        run="runs/study-$corpus"
        results="experiments/results/study/$corpus"
        "$program" run "experiments/study/test-$corpus.toml" --device "${DEVICE:-flex}" --out "$run"
        mkdir -p "$results"
        cp "$run"/{run.json,scores.csv,summary.csv} "$results/"
        "$program" compare "$run" --csv > "$results/compare.csv"
        "$program" report "$results" --out "$results/report"
    done
}

case "${1:-all}" in
    list) list ;;
    train) shift; train "$@" ;;
    test) evaluate ;;
    all) train; evaluate ;;
    *) sed -n '2,10p' "$0"; exit 2 ;;
esac
