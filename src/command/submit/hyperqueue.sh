#!/bin/bash
#HQ --name={name}
#HQ --array=0-{last}
#HQ --cpus={threads}
#HQ --time-request={minutes}m
#HQ --time-limit={minutes}m
#HQ --crash-limit=5
# {units} in {shards} shards of the plan {hash}. Submit it with `hq submit SCRIPT`; each task takes about {megabytes} MB.
# A task whose worker is lost starts again by itself. Exit code 75 (stopped or cut off) is worth another try:
#   hq submit --array=3,7 SCRIPT
# Done units are kept. Once all are through: {finish}
exec {program} run --plan {plan} --shard "$HQ_TASK_ID/{shards}" --threads {threads} --memory {megabytes}M --quiet
