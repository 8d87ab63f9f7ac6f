#!/usr/bin/env bash
# One evaluation divided by a real Slurm: shards encoded by an array, and ranking and search on two processes of srun.
# Each must have the scores of one process to the last digit, and the same file of scores by query.
#
# usage, on a machine with sbatch, in a folder that all nodes can reach:
#     bench/slurm_ranks.sh FOLDER ARGUMENT ...
# ARGUMENTS are of babelbatch-evaluate and babelbatch-encode: the encoder and the benchmark, with absolute paths, such as
#     checkpoint=$PWD/run 'benchmarks=[xquad_r]' benchmarks.xquad_r.data_dir=$PWD/xquad-r
set -euo pipefail
PLACE=$(realpath -m "${1:?usage: $0 FOLDER ARGUMENT ...}")
shift
command -v sbatch >/dev/null || { echo "there is no sbatch on this machine" >&2; exit 2; }
[ -z "$(ls -A "$PLACE" 2>/dev/null)" ] || { echo "$PLACE is not empty; name a new folder" >&2; exit 2; }
mkdir -p "$PLACE"
cd "$PLACE"
BIN=${BABELBATCH_BIN:-$(dirname "$(command -v babelbatch-evaluate)")}
export OMP_NUM_THREADS=1 # as one process has, so that all round alike
SRUN=(srun --ntasks=2 --cpus-per-task=1 --mem=3G --kill-on-bad-exit=1 --quiet)

evaluate() { # name, how it is started, its further arguments
    local name=$1 started=$2
    shift 2
    local begin=()
    [ "$started" = srun ] && begin=("${SRUN[@]}")
    echo "\$ ${begin[*]:+srun --ntasks=2 }babelbatch-evaluate ... $*"
    "${begin[@]}" "$BIN/babelbatch-evaluate" "${WHAT[@]}" logger=csv "$@" "output_dir=$PLACE/$name" >"$name.log" 2>&1 ||
        { tail -40 "$name.log"; exit 1; }
}

same() {
    "$BIN/python" - "$@" <<'PYTHON'
import json, sys
import pyarrow.parquet as pq

one, other = sys.argv[1:]
facts = [json.load(open(f"{place}/metrics.json")) for place in (one, other)]
names = sorted(name for name in facts[0].keys() | facts[1].keys() if not name.startswith(("seconds/", "config_hash")))
different = [name for name in names if facts[0].get(name) != facts[1].get(name)]
scores = [pq.read_table(f"{place}/per_query.parquet") for place in (one, other)]
if different or not scores[0].equals(scores[1]):
    sys.exit(f"DIFFERENT: {one} and {other}: {different[:5]}, scores by query equal: {scores[0].equals(scores[1])}")
print(f"equal: {one} and {other}, {len(names):,} entries of metrics.json, {len(scores[0]):,} scores by query")
PYTHON
}

WHAT=("$@")
evaluate one alone
evaluate one_searched alone evaluation=search

echo "\$ sbatch --array=0-1 ... babelbatch-encode ... shard=\$SLURM_ARRAY_TASK_ID/2"
sbatch --wait --quiet --array=0-1 --cpus-per-task=1 --mem=3G --output="$PLACE/encode-%a.log" --wrap \
    "$(printf '%q ' "$BIN/babelbatch-encode" "${WHAT[@]}" "output=$PLACE/vectors") shard=\$SLURM_ARRAY_TASK_ID/2"
evaluate of_shards alone "evaluation.vectors=$PLACE/vectors"
same one of_shards

evaluate ranks srun
same one ranks
evaluate ranks_of_shards srun "evaluation.vectors=$PLACE/vectors"
same one ranks_of_shards
evaluate ranks_searched srun evaluation=search "evaluation.vectors=$PLACE/vectors"
same one_searched ranks_searched
