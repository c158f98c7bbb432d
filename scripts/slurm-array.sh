#!/bin/bash
# A run as a Slurm array: each task decodes one shard, and the last one to end merges them.
#
#     sbatch --array=1-16 scripts/slurm-array.sh EXPERIMENT.toml [OPTIONS OF gramask run]
#
# Submit it in the folder where `gramask run` would be called. Resources are the cluster's affair: give them on the command line
# (`sbatch --gres=gpu:1 --time=4:00:00 --array=1-16 ...`), or here:
#SBATCH --job-name=gramask
#SBATCH --cpus-per-task=2
#SBATCH --output=slurm-%A_%a.out
# A task that is preempted or whose node fails starts again, and goes on where it was.
#SBATCH --requeue
#SBATCH --open-mode=append
# A minute before the time is up the run is told to finish the documents at hand.
#SBATCH --signal=B:INT@60
set -euo pipefail

if [[ $# -eq 0 || -z ${SLURM_ARRAY_TASK_ID:-} ]]; then
    sed -n '2,/^#SBATCH/p' "${BASH_SOURCE[0]}" | grep '^#' | grep -v SBATCH >&2
    exit 2
fi
experiment=$1
shift
gramask=${GRAMASK:-gramask}     # the program, where it is not in the PATH
number=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))
count=$SLURM_ARRAY_TASK_COUNT

# The run's folders are named after the experiment, which is named after its file unless it says otherwise.
name=$(sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$experiment" | head -1)
name=${name:-$(basename "$experiment" .toml)}
out=${GRAMASK_OUT:-runs/$name}
shards=$out-shards
part=$(printf "%s/%0${#count}d-of-%d" "$shards" "$number" "$count")

# `exec` would let Slurm's signal reach the program alone; as a child it needs to be passed on.
"$gramask" run "$experiment" --shard "$number/$count" --out "$part" "$@" &
child=$!
trap 'kill -INT "$child" 2>/dev/null || true' INT TERM
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
done
# 3: done, with an output that broke a promise. Everything else is not done: the same command goes on.
if [[ $code -ne 0 && $code -ne 3 ]]; then
    exit "$code"
fi

# The last one merges. Each task leaves a mark when it is done; one that finds all of them, and the lock free, is the last.
touch "$part/done"
(
    flock 9
    if [[ $(find "$shards" -mindepth 2 -maxdepth 2 -name done | wc -l) -eq $count ]]; then
        "$gramask" merge "$out" "$shards"/*-of-"$count"
    fi
) 9>"$shards/lock"
exit "$code"
