#!/usr/bin/env bash
# Everything that a GPU is needed for, in under ten minutes: the program's own tests of it, the recorded losses, attacks
# and trajectories, the engines beside each other, bench in all precisions beside eager PyTorch, a whole run, AutoAttack.
#
#     BRIDGE_JAVA="sh /tmp/gpu/run.sh" BRIDGE_APP=app tests/gpu/run.sh [RESULTS]
#
# BRIDGE_JAVA    the java command, with whatever makes it find CUDA's libraries and the natives (java)
# BRIDGE_APP     the folder that tests/gpu/pack.sh made
# BRIDGE_NATIVES jars with the natives, separated by ':', where BRIDGE_JAVA does not bring them
# BRIDGE_PYTHON  a Python with PyTorch for CUDA (python3); without one its half of the comparison is skipped
# BRIDGE_DEVICE  cuda; on cpu all that does not need a GPU runs there, to try the script
# BRIDGE_SECONDS how long all may take (570)
#
# RESULTS (or OUT, or target/gpu) gets summary.txt, a line for each part; machine.txt; log.txt, all output with its
# commands; bench.jsonl, a line for each measurement. A part that fails does not keep the next ones from running.
set -uo pipefail
cd "$(dirname "$0")/../.."
repository=$PWD
results=$(realpath -m "${1:-${OUT:-target/gpu}}")
: "${BRIDGE_APP:?is not set: the folder that tests/gpu/pack.sh made}"
app=$(realpath -m "$BRIDGE_APP")
device=${BRIDGE_DEVICE:-cuda}
python=${BRIDGE_PYTHON:-python3}
budget=${BRIDGE_SECONDS:-570}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$results"
for file in summary.txt machine.txt log.txt bench.jsonl; do : > "$results/$file"; done

read -ra java <<< "${BRIDGE_JAVA:-java}"
java+=(--enable-native-access=ALL-UNNAMED "-Dgolden=$repository/tests/golden" "-Ddevice=$device"
  -cp "$app/*${BRIDGE_NATIVES:+:$BRIDGE_NATIVES}")
bridge=("${java[@]}" bridge.launch.Launcher)
tests=("${java[@]}" bridge.RunTests)
failed=0

# ok|FAILED|skipped, the part, why
note() {
  printf '%-8s %-24s %s\n' "$1" "$2" "${3:-}" | sed 's/ *$//' | tee -a "$results/summary.txt"
  [[ $1 != FAILED ]] || failed=1
}

# part NAME SECONDS UNKNOWN COMMAND...: runs it, and leaves its output in $work/part.log. Status 77 is 'all skipped';
# where a build does not know an option yet, its message matches UNKNOWN ('' where all must be known).
part() {
  local name=$1 limit=$2 unknown=$3 left=$((budget - SECONDS)) start=$SECONDS status=0
  shift 3
  if ((left < 10)); then
    note skipped "$name" "no time is left of $budget s"
    return 1
  fi
  printf '\n== %s\n$ %s\n' "$name" "$*" >> "$results/log.txt"
  timeout -k 10 "$((limit < left ? limit : left))" "$@" > "$work/part.log" 2>&1 < /dev/null || status=$?
  cat "$work/part.log" >> "$results/log.txt"
  local last
  last=$(grep -v '^[[:space:]]*$' "$work/part.log" | tail -n 1 | cut -c1-200)
  case $status in
  0) note ok "$name" "$((SECONDS - start)) s: $last" ;;
  77) note skipped "$name" "$last" ;;
  124 | 137) note FAILED "$name" "took longer than $((SECONDS - start)) s: $last" ;;
  *)
    if [[ -n $unknown ]] && grep -qE "$unknown" "$work/part.log"; then
      note skipped "$name" "this build does not have it: $last"
    else
      note FAILED "$name" "status $status: $last"
    fi
    ;;
  esac
  return "$status"
}

machine() {
  date -u +%FT%TZ
  echo "seconds for all: $budget; device: $device; java: ${BRIDGE_JAVA:-java}"
  git -C "$repository" rev-parse HEAD 2>/dev/null
  uname -srm
  grep -m1 'model name' /proc/cpuinfo
  echo "$(nproc) processors, $(awk '/MemTotal/ {printf "%.0f GB", $2 / 1e6}' /proc/meminfo)"
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv 2>&1
  "${java[@]}" -version 2>&1
  "$python" -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda, "there:", torch.cuda.is_available())' 2>&1 |
    tail -n 1
}

# Whether the rest can run at all: on cuda there must be a device.
there() {
  [[ $device != cuda ]] && return
  local devices
  devices=$("${tests[@]}" devices 2>> "$results/log.txt" | tail -n 1)
  [[ $devices =~ ^[1-9] ]]
}

unless_there() {
  if [[ $there = no ]]; then
    note skipped "$1" "no CUDA device"
    return 0
  fi
  return 1
}

golden() {
  # cuDNN and cuBLAS compute float32 as float32: the recordings did
  part golden-losses 60 '' env NVIDIA_TF32_OVERRIDE=0 "${tests[@]}" bridge.method.GoldenLossesTest
  part golden-attacks 90 '' env NVIDIA_TF32_OVERRIDE=0 "${tests[@]}" bridge.attack.GoldenAttacksTest
  part golden-trajectories 150 '' env NVIDIA_TF32_OVERRIDE=0 "${tests[@]}" bridge.train.GoldenTrajectoriesTest
}

# A short run with each engine; the loss after an epoch may differ by a hundredth or two, for a sign that rounding turned.
engines() {
  local engine last plain=''
  for engine in PLAIN FOLDED GRAPH; do
    part "engine-$engine" 60 'unknown key gradients|gradients.engine must be' \
      "${bridge[@]}" train quickstart --device "$device" --max-steps 71 --out "$work/$engine" \
      --set "gradients.engine=$engine" || continue
    last=$(grep -o '"total":[0-9.eE+-]*' "$work/$engine/metrics.jsonl" | tail -n 1 | cut -d: -f2)
    printf 'loss after an epoch with %s: %s\n' "$engine" "$last" >> "$results/log.txt"
    if [[ $engine = PLAIN ]]; then
      plain=$last
    elif [[ -n $plain ]]; then
      if awk -v a="$plain" -v b="$last" 'BEGIN {d = a - b; exit !(b != "" && d * d <= (0.05 * a) ^ 2)}'; then
        note ok "$engine-as-PLAIN" "losses $last and $plain"
      else
        note FAILED "$engine-as-PLAIN" "losses $last and $plain are more than 5 % apart"
      fi
    fi
  done
}

# Ours, then theirs, so that both meet the same clocks.
measure() {
  local workload=$1 method=$2 precision=$3 name="bench-$1-$2-$3"
  local known='Unmatched argument|did you mean|unknown|precision must be|[Uu]nknown'
  local recipe=tests/peer/recipes/$workload.json
  [[ -f $recipe ]] || recipe=quickstart
  rm -f "$work/bench.json"
  part "$name" 60 "$known" "${bridge[@]}" bench "$recipe" --device "$device" --steps 20 \
    --set "method.name=$method" --set "precision=$precision" --json "$work/bench.json"
  if [[ -s $work/bench.json ]]; then
    printf '{"name": "%s", "result": %s}\n' "$name" "$(tr -d '\n' < "$work/bench.json")" >> "$results/bench.jsonl"
  fi
}

peer() {
  local workload=$1 method=$2 precision=$3 name="python-$1-$2-$3"
  if ! "$python" tests/peer/bench_step.py --help 2> /dev/null | grep -q -- --device; then
    note skipped "$name" "tests/peer/bench_step.py is not there, or not for a device"
  elif ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
    note skipped "$name" "$python has no PyTorch that sees a CUDA device"
  elif part "$name" 60 '' "$python" tests/peer/bench_step.py "$workload" "$method" --device "$device" \
    --precision "$precision" --layout channels_last --steps 20; then
    printf '{"name": "%s", "result": %s}\n' "$name" "$(tail -n 1 "$work/part.log")" >> "$results/bench.jsonl"
  fi
}

bench() {
  local workload method precision
  for workload in small resnet18; do
    for precision in FLOAT32 TF32 BFLOAT16; do
      measure "$workload" pgd-at "$precision"
      peer "$workload" pgd-at "$precision"
    done
  done
}

machine > "$results/machine.txt"
there && there=yes || there=no
part doctor 60 '' "${bridge[@]}" doctor
part gpu-tests 120 '' "${tests[@]}" gpu
unless_there golden || golden
unless_there engines || engines
unless_there bench || bench
unless_there quickstart ||
  part quickstart 150 '' "${bridge[@]}" train quickstart --device "$device" --out "$work/quickstart"
unless_there autoattack ||
  part autoattack 90 '' "${bridge[@]}" evaluate --model models/fmnist-resnet.pt --data fashion-mnist-mini \
    --attacks clean,autoattack --eps 0.1 --limit 200 --device "$device"
note "$([[ $failed = 0 ]] && echo ok || echo FAILED)" all "$SECONDS s"
exit "$failed"
