#!/usr/bin/env bash
# Three nodes on one machine, each a network namespace with an address of its own: one is lost in
# the middle of a training and comes back, or the ways of sharing are timed at several bandwidths.
#
#     sudo bash benchmarks/nodes.sh cut /tmp/nodes      the third node's link goes down, and up again
#     sudo bash benchmarks/nodes.sh kill /tmp/nodes     all its processes are killed, and started again
#     sudo bash benchmarks/nodes.sh rates /tmp/nodes    seconds of a step by rate and way (Mbit/s in RATES)
#
# Needs ip and tc of iproute2, unshare, and the right to make namespaces. PYTHON is the interpreter
# that has alexnet. Everything is made in the folder and in namespaces alexnet-*, which are removed.
set -euo pipefail

mode=${1:?cut, kill or rates} folder=$(realpath -m "${2:?a folder}")
python=${PYTHON:-python} here=$(dirname "$(realpath "$0")")
prefix=alexnet- nodes=3 net=10.77.0
words=(train "$folder/images" --from scratch --model alexnet --image-px 72 --crop-px 64
    --batch-size 18 --epochs "${EPOCHS:-40}" --lr 0.001 --precision fp32 --exact-convolutions
    --parallel "${WAY:-hybrid}" --save-every "5 steps")

inside() {  # NODE COMMAND...: on a node, with its name and hosts file
    local node=$1
    shift
    ip netns exec "$prefix$node" unshare --uts bash -c 'hostname "$0"; exec "$@"' "node$node" "$@"
}

make_network() {
    remove_network
    mkdir -p "$folder"
    ip netns add "${prefix}switch"
    ip -n "${prefix}switch" link add switch type bridge
    ip -n "${prefix}switch" link set switch up
    for node in $(seq 0 $((nodes - 1))); do
        ip netns add "$prefix$node"
        ip link add eth0 netns "$prefix$node" type veth peer name "port$node" netns "${prefix}switch"
        ip -n "${prefix}switch" link set "port$node" master switch up
        ip -n "$prefix$node" address add "$net.1$node/24" dev eth0
        ip -n "$prefix$node" link set eth0 up
        ip -n "$prefix$node" link set lo up
        mkdir -p "/etc/netns/$prefix$node" # its files take the place of those of /etc
        { echo "127.0.0.1 localhost"
          for each in $(seq 0 $((nodes - 1))); do echo "$net.1$each node$each"; done
        } >"/etc/netns/$prefix$node/hosts"
    done
}

remove_network() {
    for node in $(seq 0 $((nodes - 1))) switch; do
        kill_node "$node"
        ip netns delete "$prefix$node" 2>/dev/null || true
        rm -rf "/etc/netns/$prefix$node"
    done
}

kill_node() { # every process of a node at once, as when its power goes
    # shellcheck disable=SC2046
    kill -KILL $(ip netns pids "$prefix$1" 2>/dev/null) 2>/dev/null || true
}

start_node() { # NODE: torchrun, again when it gave up, as a service manager or a scheduler does
    local node=$1 host=0
    if [ "$node" = 0 ]; then host=1; fi
    inside "$node" env GLOO_SOCKET_IFNAME=eth0 OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
        ALEXNET_PROCESS_TIMEOUT="${TIMEOUT_S:-10}" TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 \
        bash -c 'until "$@"; do sleep 2; done' again \
        "$python" -m torch.distributed.run --nnodes 2:3 --nproc-per-node 1 --max-restarts 20 \
        --rdzv-backend c10d --rdzv-endpoint node0:29400 --rdzv-id photos \
        --rdzv-conf "is_host=$host,last_call_timeout=8" \
        --local-addr "$net.1$node" \
        -m alexnet "${words[@]}" --run-dir "$folder/run" \
        >>"$folder/node$node.out" 2>>"$folder/node$node.err" &
}

said() { echo "$(date +%T) $*"; }
await() { "$python" "$here/nodes.py" await "$folder/run" "$@"; }

lose_a_node() {
    "$python" "$here/nodes.py" images "$folder/images"
    rm -rf "$folder/run" "$folder"/node?.{out,err}
    for node in 0 1 2; do start_node "$node"; done
    await --begins 1 --epochs 4
    if [ "$mode" = cut ]; then ip -n "${prefix}switch" link set port2 down; else kill_node 2; fi
    said "node 2 is lost"
    await --begins 2 --epochs 0
    said "two nodes train"
    await --begins 2 --epochs 3
    if [ "$mode" = cut ]; then ip -n "${prefix}switch" link set port2 up; else start_node 2; fi
    said "node 2 is back"
    await --begins 3 --epochs 0
    said "three nodes train"
    await --finished
    said "the run is finished; the same history without a loss:"
    "$python" "$here/nodes.py" replay "$folder/run" "${words[@]}"
}

trap remove_network EXIT
make_network
case $mode in
cut | kill) lose_a_node ;;
rates) "$python" "$here/nodes.py" rates --folder "$folder" --prefix "$prefix" --net "$net" ;;
*) echo "cut, kill or rates, and not $mode" >&2 && exit 2 ;;
esac
