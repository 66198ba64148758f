# A Slurm cluster on one machine, to be sourced: every node has a network, processes and a name of its own.
#
# Needs root, and Debian's slurmctld, slurmd, slurm-client and munge. Nothing of it can reach the machine's network.

# cluster_up FOLDER NODES: files in FOLDER, nodes n1, n2, ...
cluster_up() {
    cluster=$1
    nodes=()
    local number
    for number in $(seq "$2"); do nodes+=("n$number"); done
    mkdir -p "$cluster"/{log,spool,state}
    export SLURM_CONF="$cluster/slurm.conf"
    (umask 077 && head -c 128 /dev/urandom > "$cluster/munge.key")
    munged --foreground --force --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" \
        --pid-file="$cluster/munge.pid" --log-file="$cluster/log/munged" --seed-file="$cluster/munge.seed" &> "$cluster/log/munged.out" &
    munge_process=$!
    network_up
    slurm_configuration > "$SLURM_CONF"
    until [ -S "$cluster/munge.socket" ]; do sleep 0.1; done
    # In the foreground: what runs under its own number here can be ended by it.
    setsid nsenter --net="/run/netns/$(network controller)" slurmctld -D -c &> "$cluster/log/slurmctld.out" < /dev/null &
    controller_process=$!
    local node
    for node in "${nodes[@]}"; do node_up "$node"; done
    wait_until 60 "all nodes to be idle" all_idle
}

network() { echo "infoplane-$$-$1"; }

# One network for the controller, one a node, and one that joins them and leads nowhere else.
network_up() {
    local place=0 host
    ip netns add "$(network switch)"
    ip -n "$(network switch)" link add bridge type bridge
    ip -n "$(network switch)" link set bridge up
    for host in controller "${nodes[@]}"; do
        place=$((place + 1))
        ip netns add "$(network "$host")"
        ip -n "$(network "$host")" link set lo up
        ip -n "$(network "$host")" link add cable type veth peer name "to-$host" netns "$(network switch)"
        ip -n "$(network "$host")" address add "192.0.2.$place/24" dev cable
        ip -n "$(network "$host")" link set cable up
        ip -n "$(network switch)" link set "to-$host" master bridge up
    done
}

slurm_configuration() {
    cat << END
ClusterName=infoplane
SlurmctldHost=$(hostname -s)(192.0.2.1)
SlurmUser=root
SlurmdUser=root
# A job that is tried again waits until its credential has expired: two minutes by default.
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/log/slurmctld
SlurmdLogFile=$cluster/log/slurmd-%n
# Without control groups: processes are told by their parents, and their memory is looked at.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MailProg=/bin/true
MpiDefault=none
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
# A node that does not answer for five seconds is down: five minutes by default.
SlurmdTimeout=5
MessageTimeout=5
TCPTimeout=2
KillWait=2
ReturnToService=2
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    local place=1 node
    for node in "${nodes[@]}"; do
        place=$((place + 1))
        echo "NodeName=$node NodeHostname=$node NodeAddr=192.0.2.$place Port=17000 CPUs=4 RealMemory=16000 State=UNKNOWN"
    done
}

# A node is the first process of its own numbering: when that dies, everything on the node does, as by power loss.
declare -A node_process
node_up() {
    mkdir -p "$cluster/spool/$1"
    # `ip netns exec` would hide the control groups, and slurmd does not start without.
    setsid nsenter --net="/run/netns/$(network "$1")" \
        unshare --fork --pid --mount-proc --uts --kill-child=SIGKILL \
        bash -c "hostname $1 && exec slurmd -D -N $1" &> "$cluster/log/$1.out" < /dev/null &
    node_process[$1]=$!
    # Its end is no news.
    disown
}

power_off() {
    kill -KILL "${node_process[$1]}"
    unset "node_process[$1]"
}
cut_off() { ip -n "$(network switch)" link set "to-$1" down; }
heal() { ip -n "$(network switch)" link set "to-$1" up; }

# Slurm's commands, as on the machine of the controller.
slurm() { nsenter --net="/run/netns/$(network controller)" "$@"; }

# processes_on NODE NAME: the numbers that they have outside.
processes_on() { pgrep --ns "$(pgrep --parent "${node_process[$1]}")" --nslist pid --exact "$2"; }

all_idle() { [ "$(slurm sinfo --noheader --Node --format=%t 2> /dev/null | grep --count idle)" = "${#nodes[@]}" ]; }

# wait_until SECONDS WHAT COMMAND...
wait_until() {
    local end=$((SECONDS + $1)) limit=$1 what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "waited $limit s for $what" >&2
            tail -n 15 "$cluster"/log/slurmctld* >&2
            return 1
        fi
        sleep 0.1
    done
}

cluster_down() {
    local host
    for host in "${!node_process[@]}"; do kill -KILL "${node_process[$host]}" || true; done
    kill -KILL ${controller_process:-} ${munge_process:-} || true
    wait
    for host in controller "${nodes[@]}" switch; do ip netns delete "$(network "$host")" || true; done
} 2> /dev/null
