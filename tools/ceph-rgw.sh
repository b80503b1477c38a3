#!/usr/bin/env bash
# A real S3 server for the tests, without Docker: Ceph RGW 20 from Debian's packages in a throw-away root folder, one node,
# data in memory, everything on 127.0.0.1. Debian, as root, about 700 MB of disk; 60-90 s the first time, then 2 s.
#
#   eval "$(tools/ceph-rgw.sh start)"   installs it if need be, starts it, prints the S3_TEST_* variables
#   tools/ceph-rgw.sh env               prints them if it runs, else fails
#   tools/ceph-rgw.sh stop              ends what start started; the root folder stays
#
# CEPH_RGW_ROOT (/var/tmp/ceph-rgw), CEPH_RGW_PORT (7490) and CEPH_RGW_MON_PORT (16790) say where; CEPH_RGW_SUITE (sid) says
# from which suite of Debian. Where that has no Ceph 20, moto takes its place, and what that does not show is said.
# Standard output holds nothing but the variables. Exit codes: 2 usage, 3 the port is taken, 4 does not start, 5 not installed.
set -euo pipefail

root=${CEPH_RGW_ROOT:-/var/tmp/ceph-rgw}
port=${CEPH_RGW_PORT:-7490}
mon_port=${CEPH_RGW_MON_PORT:-16790}
suite=${CEPH_RGW_SUITE:-sid}
moto_root=$root-moto
access_key=${S3_TEST_ACCESS_KEY_ID:-testkey}
secret_key=${S3_TEST_SECRET_ACCESS_KEY:-testsecret}
# chroot and its like, also for those whose PATH does not have them.
PATH=$PATH:/usr/sbin:/sbin

say() { echo "ceph-rgw: $*" >&2; }
fail() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# --- what runs -------------------------------------------------------------------------------------------------------------

# The state of a run: pid files, configuration, data, logs. Inside its root folder, so that the daemons see it too.
ceph_state=$root/rgw
moto_state=$moto_root/moto

# running FOLDER DAEMON: its pid, if the recorded process lives and is what it should be.
running() {
  local pid comm
  pid=$(cat "$1/$2.pid" 2>/dev/null) && comm=$(cat "/proc/$pid/comm" 2>/dev/null) || return 1
  case $2:$comm in
    rgw:radosgw | osd:ceph-osd | mon:ceph-mon | moto:moto_server | moto:python3*) echo "$pid" ;;
    *) return 1 ;;
  esac
}

# The first line that the port answers to a GET.
answer() {
  timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET / HTTP/1.0\r\n\r\n" >&3 && IFS= read -r line <&3 && echo "$line"' \
    "$port" 2>/dev/null
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

ceph_is_healthy() {
  local daemon
  for daemon in mon osd rgw; do running "$ceph_state" "$daemon" >/dev/null || return 1; done
  [[ $(answer) == HTTP/*' 200'* ]]
}
moto_is_healthy() { running "$moto_state" moto >/dev/null && [[ $(answer) == HTTP/* ]]; }

ceph_version() { chroot "$root" radosgw --version 2>/dev/null | awk '{ print $3 }'; }
moto_version() { chroot "$moto_root" dpkg-query -W -f '${Version}' python3-moto 2>/dev/null; }

# variables SERVER: what the tests read.
variables() {
  cat <<ENV
export S3_TEST_ENDPOINT=http://127.0.0.1:$port S3_TEST_REGION=us-east-1 S3_TEST_FORCE_PATH_STYLE=1
export S3_TEST_ACCESS_KEY_ID=$access_key S3_TEST_SECRET_ACCESS_KEY=$secret_key S3_TEST_BUCKET=sessiontree-test
export S3_TEST_SERVER='$1'
ENV
}

# Prints the variables of what runs; fails if nothing does.
environment() {
  if ceph_is_healthy; then
    variables "ceph $(ceph_version)"
  elif moto_is_healthy; then
    name_the_gaps
    variables "moto $(moto_version)"
  else
    return 1
  fi
}

name_the_gaps() {
  say "WARNING: this is moto, not Ceph: a mock in one Python process. It shows no real races, no consistency between daemons,"
  say "WARNING: no limits of a store and none of Ceph's own answers. Treat S3 as not tested against a real server."
}

# --- install ---------------------------------------------------------------------------------------------------------------

# Where this machine's apt gets Debian from.
mirror() {
  local found
  found=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }')
  [ -n "$found" ] || found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' | head -n 1)
  echo "$found"
}

# install FOLDER PACKAGE...: a Debian of its own in a new folder, which appears once and whole.
install() {
  local folder=$1 partial=$1.partial from
  shift
  [ "$(id -u)" = 0 ] || fail 5 'installing needs root'
  command -v apt-get >/dev/null || fail 5 'this is no Debian: there is no apt-get; start an S3 server of your own and set S3_TEST_*'
  [ "$(df --output=avail -k "$(dirname "$folder")" | tail -n 1)" -gt 1500000 ] || fail 5 "less than 1.5 GB free beside $folder"
  if ! command -v mmdebstrap >/dev/null; then
    say 'installing mmdebstrap ...'
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap; } \
      >"$folder.log" 2>&1 || fail 5 "mmdebstrap cannot be installed: see $folder.log"
  fi
  from=$(mirror)
  [ -n "$from" ] || fail 5 'apt names no mirror of Debian in its sources'
  say "installing $* of $suite into $folder (once; about 70 s) ..."
  rm -rf "$partial"
  # sid's release file may be called expired by a mirror that lags.
  if mmdebstrap --variant=apt --mode=root --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --include="ca-certificates,$(IFS=,; echo "$*")" "$suite" "$partial" "$from" >"$folder.log" 2>&1; then
    rm -rf "$folder"
    mv "$partial" "$folder"
  else
    tail -n 5 "$folder.log" >&2
    rm -rf "$partial"
    return 1
  fi
}

# True if Ceph 20 is there, now or after an installation.
have_ceph() {
  local version
  if [ ! -x "$root/usr/bin/radosgw" ]; then
    install "$root" radosgw ceph-mon ceph-osd ceph-common || {
      say "WARNING: $suite delivers no Ceph (see $root.log)"
      return 1
    }
  fi
  version=$(ceph_version)
  [ "${version%%.*}" -ge 20 ] 2>/dev/null && return
  # Before 20 a quoted ETag in If-Match never matches and the condition of a DELETE is ignored.
  say "WARNING: $root holds Ceph ${version:-unknown}, whose If-Match does not work; 20 is needed"
  return 1
}

# --- start -----------------------------------------------------------------------------------------------------------------

in_root() { chroot "$root" "$@"; }
ceph_tool() { timeout 30 chroot "$root" "$@"; }

# daemon FOLDER NAME COMMAND...: in a session of its own, with its pid and its output recorded.
daemon() {
  local folder=$1 name=$2
  shift 2
  setsid "$@" >"$folder/log/$name.out" 2>&1 </dev/null 9>&- &
  echo $! >"$folder/$name.pid"
}

configure() {
  rm -rf "$ceph_state"
  mkdir -p "$ceph_state"/{mon,osd,rgw,run,log}
  cat >"$ceph_state/ceph.conf" <<CONF
[global]
fsid = $1
mon_initial_members = a
mon_host = [v1:127.0.0.1:$mon_port]
public_network = 127.0.0.0/8
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = /rgw/run
admin_socket = /rgw/run/\$name.asok
log_file = /rgw/log/\$name.log
crash_dir = /rgw/log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
# A full disk of the machine is not this server's business: it keeps its data in memory.
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_osd_nearfull_ratio = .97
mon_osd_backfillfull_ratio = .98
mon_osd_full_ratio = .99
# These two make the pools appear in 0.4 s instead of 9 s.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
[mon]
mon_data = /rgw/mon
[osd]
osd_data = /rgw/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = /rgw/rgw
# Without tcp_nodelay a GET takes 44 ms.
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw_dns_name = 127.0.0.1
rgw_run_sync_thread = false
rgw_dynamic_resharding = false
rgw_override_bucket_index_max_shards = 1
CONF
}

# A new OSD now and then ends at once because it spoke to the monitor before it had its map: then it is started again.
start_osd() {
  local attempt moment
  for attempt in 1 2 3 4 5; do
    daemon "$ceph_state" osd chroot "$root" ceph-osd -c /rgw/ceph.conf -i 0 -f
    for moment in $(seq 60); do
      sleep 0.1
      # The first moments it is still chroot.
      [ "$moment" -gt 5 ] && ! running "$ceph_state" osd >/dev/null && break
      ceph_tool ceph -c /rgw/ceph.conf osd stat 2>/dev/null | grep -q '1 up' && return
    done
    end "$ceph_state" osd
  done
  return 1
}

start_ceph() {
  local fsid osd_id config=(-c /rgw/ceph.conf)
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd_id=$(cat /proc/sys/kernel/random/uuid)
  configure "$fsid"
  say "starting Ceph $(ceph_version) ..."
  in_root monmaptool --create --clobber --addv a "[v1:127.0.0.1:$mon_port]" --fsid "$fsid" /rgw/monmap >"$ceph_state/log/monmap.out" 2>&1 &&
    in_root ceph-mon "${config[@]}" --mkfs -i a --monmap /rgw/monmap >"$ceph_state/log/mon-mkfs.out" 2>&1 ||
    give_up 'its monitor cannot be made'
  daemon "$ceph_state" mon chroot "$root" ceph-mon "${config[@]}" -i a -f
  ceph_tool ceph "${config[@]}" --connect-timeout 20 osd new "$osd_id" >"$ceph_state/log/osd-new.out" 2>&1 &&
    in_root ceph-osd "${config[@]}" -i 0 --mkfs --osd-uuid "$osd_id" >"$ceph_state/log/osd-mkfs.out" 2>&1 &&
    start_osd || give_up 'its object daemon does not come up'
  # Without a limit this would wait for ever for a dead OSD.
  ceph_tool radosgw-admin "${config[@]}" -n client.rgw user create --uid=test --display-name=test \
    --access-key="$access_key" --secret="$secret_key" >"$ceph_state/log/user.out" 2>&1 || give_up 'its user cannot be made'
  daemon "$ceph_state" rgw chroot "$root" radosgw "${config[@]}" -n client.rgw -f
  await ceph_is_healthy || give_up 'its gateway does not answer'
}

start_moto() {
  if [ ! -x "$moto_root/usr/bin/moto_server" ]; then
    install "$moto_root" python3-moto python3-flask python3-flask-cors || fail 5 "neither Ceph 20 nor moto can be installed from $suite: see $root.log and $moto_root.log"
  fi
  rm -rf "$moto_state"
  mkdir -p "$moto_state/log"
  say "starting moto $(moto_version) ..."
  daemon "$moto_state" moto chroot "$moto_root" moto_server -H 127.0.0.1 -p "$port"
  await moto_is_healthy || fail 4 "moto does not answer: see $moto_state/log"
}

# give_up REASON: what Ceph's logs are for.
give_up() {
  stop_all keep
  fail 4 "Ceph does not start: $1; its output is in $ceph_state/log"
}

# await CONDITION: for at most 30 s.
await() {
  for _ in $(seq 300); do
    "$1" && return
    sleep 0.1
  done
  return 1
}

# --- stop ------------------------------------------------------------------------------------------------------------------

# end FOLDER DAEMON: asks it to end, waits up to 6 s, then kills it.
end() {
  local pid
  pid=$(running "$1" "$2") || { rm -f "$1/$2.pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 60); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$1/$2.pid"
}

# stop_all [keep]: with `keep` the logs stay.
stop_all() {
  local daemon
  for daemon in rgw osd mon; do end "$ceph_state" "$daemon"; done
  end "$moto_state" moto
  [ "${1:-}" = keep ] || rm -rf "$ceph_state" "$moto_state"
}

# ---------------------------------------------------------------------------------------------------------------------------

# Two starts at once would make one root folder twice. Daemons do not inherit the lock: 9>&-.
lock() {
  mkdir -p "$(dirname "$root")"
  exec 9>"$root.lock" || fail 5 "$root.lock cannot be written"
  flock -w 300 9 || fail 4 "another start has held $root.lock for five minutes"
}

case ${1:-} in
  start)
    environment && exit
    lock
    environment && exit
    [ "$(id -u)" = 0 ] || fail 4 'starting needs root (chroot)'
    stop_all
    for taken in "$port" "$mon_port"; do
      is_free "$taken" || fail 3 "port $taken is taken by something that this script did not start; set CEPH_RGW_PORT or CEPH_RGW_MON_PORT"
    done
    if have_ceph; then start_ceph; else start_moto; fi
    environment || fail 4 'it started, but is gone again'
    say "answering on http://127.0.0.1:$port"
    ;;
  env) environment || fail 4 "nothing answers on port $port; start it" ;;
  stop)
    lock
    stop_all
    ;;
  *) fail 2 "usage: $0 start|env|stop" ;;
esac
