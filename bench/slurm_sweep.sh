#!/usr/bin/env bash
# Sweeps on a real Slurm, each compared with the same sweep without Slurm: an array; jobs of two ranks; a job that is put
# into the queue again in mid-run (scontrol requeue); a job that needs longer than its time limit. On a CPU all weights
# must be equal to the bit. A quarter of an hour with two cores.
#
# usage, on a machine with sbatch and babelbatch[slurm]: bench/slurm_sweep.sh FOLDER [part of a name]
set -euo pipefail
PLACE=$(realpath -m "${1:?usage: $0 FOLDER [array|ranks|requeue|limit]}")
ONLY=${2:-}
command -v sbatch >/dev/null || { echo "there is no sbatch on this machine" >&2; exit 2; }
mkdir -p "$PLACE"
cd "$PLACE"
TRAIN=${BABELBATCH_TRAIN:-babelbatch-train}
SMALL=(
    threads=1 "corpus.languages=[en,de,zh]" "benchmarks.world_facts.languages=[en,de,zh]" encoder=tiny
    encoder.hidden_size=32 encoder.vocab_size=2000 sampling.batch_size=16 trainer.max_steps=12
    trainer.val_check_interval=6 data.validation_steps=2 logger=none
)
SLURM=(hydra/launcher=submitit_slurm hydra.launcher.gpus_per_node=null hydra.launcher.cpus_per_task=1 hydra.launcher.mem_gb=3)
failures=0

show() { # the command and what it says, without the lines of a log
    local name=$1
    shift
    echo "\$ babelbatch-train -m ... $(shorter "$@")"
    local code=0
    $TRAIN -m "${SMALL[@]}" "$@" "output_dir=$PLACE/$name" >"$name.log" 2>&1 || code=$?
    grep -E '^babelbatch: (submitted|[0-9]+ of)|^  (finished|resumed|failed|interrupted|not started|was)' "$name.log" || true
    [ $code = 0 ] || { echo "exit code $code"; tail -40 "$name.log"; failures=$((failures + 1)); }
}

shorter() { # the arguments without those that every command has
    local each
    for each in "$@"; do
        case "$each" in hydra.launcher.gpus_per_node=null | hydra.launcher.cpus_per_task=1 | hydra.launcher.mem_gb=3) ;; *) printf '%s ' "$each" ;; esac
    done
}

compare() { # two sweeps, by the weights of their jobs
    local here there job
    for here in "$1"/*/encoder/model.safetensors; do
        job=$(basename "$(dirname "$(dirname "$here")")")
        there=$2/${job}/encoder/model.safetensors
        if [ -e "$there" ] && cmp -s "$here" "$there"; then
            echo "equal to the bit: $1 and $2, ${job##*_} ($(sha256sum <"$there" | cut -c1-12))"
        else
            echo "DIFFERENT: $1 and $2, $job"
            failures=$((failures + 1))
        fi
    done
}

wanted() { [[ $1 == *"$ONLY"* ]] && echo && echo "## $1"; }

wait_for() { # a pattern in a file that is yet to appear
    for _ in $(seq 600); do
        if grep -qsE "$1" $2; then return 0; fi
        sleep 0.2
    done
    echo "'$1' did not appear in $2" >&2
    return 1
}

if wanted array; then
    show here sampling=x_x,x_y,hybrid
    show array sampling=x_x,x_y,hybrid "${SLURM[@]}"
    compare here array
fi

if wanted ranks; then
    two=(trainer=ddp trainer.devices=2 trainer.accelerator=cpu sampling=hybrid)
    show ranks_here "${two[@]}" hydra/launcher=fresh
    show ranks_of_slurm "${two[@]}" "${SLURM[@]}" hydra.launcher.tasks_per_node=2 hydra.launcher.mem_gb=4
    compare ranks_here ranks_of_slurm
    show ranks_of_babelbatch "${two[@]}" "${SLURM[@]}" hydra.launcher.cpus_per_task=2
    compare ranks_here ranks_of_babelbatch
fi

if wanted requeue; then
    long=(sampling=hybrid trainer.max_steps=400 trainer.val_check_interval=10)
    show long_here "${long[@]}"
    show requeue "${long[@]}" "${SLURM[@]}" &
    wait_for "step 30 of" "$PLACE/requeue/*/train.log"
    job=$(squeue --noheader --format=%i | head -1)
    echo "\$ scontrol requeue $job"
    scontrol requeue "$job"
    wait $! || true
    grep -hE "SIGTERM: stopping|resum" "$PLACE"/requeue/*/train.log | sed 's/^.*\] - //' || true
    compare long_here requeue
fi

if wanted limit; then
    longer=(sampling=hybrid "trainer.max_steps=${STEPS:-2000}" trainer.val_check_interval=50)
    show longer_here "${longer[@]}"
    show limit "${longer[@]}" "${SLURM[@]}" hydra.launcher.timeout_min=1 hydra.launcher.signal_delay_s=20
    grep -hE "stopping after|resum" "$PLACE"/limit/*/train.log | sed 's/^.*\] - //' || true
    grep -hE "timed.out|Requeued" "$PLACE"/limit/.submitit/*/*.err | sed 's/^submitit //' || true
    compare longer_here limit
fi

echo
echo "$failures failures"
exit $((failures > 0))
