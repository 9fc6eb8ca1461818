#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Slurm of one node, run by this user, with its files in a folder. For trying and testing, not for work.
# Needs Debian's slurm-wlm and munge; stops nothing that it did not start.
#
#   sh slurm-node.sh DIR start      then: export SLURM_CONF=DIR/slurm.conf
#   sh slurm-node.sh DIR stop
set -eu
folder=$(cd "$1" && pwd)
PATH=$PATH:/usr/sbin

# await SECONDS COMMAND...: until the command succeeds
await() {
  left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "waited in vain for: $*" >&2; return 1; }
    sleep 0.2
  done
}

write_conf() {
  # Ports of our own: another Slurm may run here.
  port=$((20000 + $$ % 20000))
  node=$(hostname -s)
  cat >"$folder/slurm.conf" <<CONF
ClusterName=try
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
  # Nothing of the above uses control groups. Slurm 24's slurmd starts without them when told so, 22's knows no such word.
  [ "$(slurmd -V | sed 's/^[^ ]* \([0-9]*\).*/\1/')" -lt 24 ] || echo "CgroupPlugin=disabled" >"$folder/cgroup.conf"
}

start() {
  mkdir -p "$folder/state" "$folder/spool"
  head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 600 "$folder/munge.key"
  write_conf
  export SLURM_CONF="$folder/slurm.conf"
  # --force: the folder may stand in /tmp.
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" 2>/dev/null
  slurmctld -f "$folder/slurm.conf"
  slurmd -f "$folder/slurm.conf"
  await 30 sh -c 'sinfo --noheader --format=%T | grep -q idle'
}

stop() {
  for name in slurmd slurmctld munged; do
    [ -f "$folder/$name.pid" ] || continue
    process=$(cat "$folder/$name.pid")
    kill "$process" 2>/dev/null || continue
    await 10 sh -c "! kill -0 $process" || kill -KILL "$process"
  done
}

case "${2:-}" in
start) start ;;
stop) stop ;;
*)
  echo "usage: $0 DIR start|stop" >&2
  exit 2
  ;;
esac
