#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem={megabytes}M
#SBATCH --time={minutes}
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
# {units} in {shards} shards of the plan {hash}. Submit it with `sbatch`, and behind it
#   sbatch --dependency=afterany:JOB --wrap {finish}
# Some shards again: `sbatch --array=3,7 SCRIPT`; done units are kept. Needs {array} array tasks (MaxArraySize).
{program} run --plan {plan} --shard "$SLURM_ARRAY_TASK_ID/{shards}" --threads {threads} --memory {megabytes}M --quiet &
child=$!
# Two minutes before the time limit, and when a node is wanted back: the unit in flight is dropped, all others stay.
trap 'kill -TERM "$child"' TERM
wait "$child"
code=$?
# A signal ends the waiting, not the child.
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
# 75: stopped or cut off, worth another try; all other codes are final.
if [ "$code" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
