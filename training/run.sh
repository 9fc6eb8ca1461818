#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Trains the family within a given time, on one GPU or on the CPU: x2, x4 by scale distillation from it, x8 from x4.
#
#   sh training/run.sh DATA OUT MINUTES [key=value ...]
#   sh training/run.sh DATA OUT 600 pool=0 workers=0 crop=128 batch=8 device=cpu
#
# DATA holds images/, held-out/ and lpips_squeeze.safetensors; OUT gets models/, runs/ and logs/, one for each stage. It
# may be stopped and repeated: stages go on where they were. At the end of MINUTES stages stop, and what they have is
# exported. Beside the shipped models: x2-frozen, x4-frozen, x8-frozen (decoder tuned on the frozen U-Net), x4-no-unet
# (the same without it). $SCALES: "2 4" leaves x8 out. $FAMILY: yonos-lite, or yonos-nano, which has no config of x8.
set -eu
[ $# -ge 3 ] || { sed -n '3,13s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$2/logs"
data=$(cd "$1" && pwd) out=$(cd "$2" && pwd) minutes=$3
shift 3
cd "$(dirname "$0")"
python=${YONOS_TRAINING_PYTHON:-$(sh install.sh --print)}
[ -x "$python" ] || python=python3
family=${FAMILY:-yonos-lite}
end=$(($(date +%s) + 60 * minutes))
teacher=$out/models/x2-teacher

# part PERCENT: that share of the time, in minutes
part() { awk "BEGIN { print $1 * $minutes / 100 }"; }

# stage SCALE STAGE key=value...: of FAMILY-xSCALE; ends by itself, or half a minute before `end`
stage() {
  scale=$1 stage=$2
  shift 2
  left=$((end - $(date +%s) - 30))
  [ "$stage" != export ] || left=300
  status=0
  timeout --signal TERM $((left > 1 ? left : 1)) "$python" -m yonos_train "$stage" \
    --config "configs/$family-x$scale.toml" data="$data/images" held_out="$data/held-out" \
    lpips="$data/lpips_squeeze.safetensors" runs="$out/runs" "$@" >>"$out/logs/x$scale-$stage.log" 2>&1 || status=$?
  case $status in
  0 | 124 | 143) ;;
  *)
    echo "run.sh: x$scale $stage failed, see $out/logs/x$scale-$stage.log" >&2
    exit 1
    ;;
  esac
}

# frozen SCALE PERCENT key=value...: the decoder on the frozen U-Net, for that share of the time
frozen() {
  scale=$1 share=$2
  shift 2
  stage "$scale" decoder decoder.minutes="$(part "$share")" "$@"
  stage "$scale" export export.folder="$out/models/x$scale-frozen" "$@"
}

# joint SCALE PERCENT key=value...: then both together; the temporal loss from the middle on
joint() {
  scale=$1 share=$2
  shift 2
  stage "$scale" decoder decoder.train_unet=true decoder.minutes="$(part "$share")" \
    decoder.temporal_weight="[[0, 0.0], [$(part $((share / 2))), 2.0]]" "$@"
  stage "$scale" export decoder.train_unet=true export.folder="$out/models/$family-x$scale" "$@"
}

stage 2 autoencoder autoencoder.minutes="$(part 14)" "$@"
stage 2 direct direct.minutes="$(part 10)" "$@"
stage 2 export export.folder="$teacher" export.dtype=float32 "$@"
(
  frozen 2 9 "$@"
  joint 2 54 "$@"
) &
others=$!
set -- "$@" autoencoder.init="$teacher" distill.teacher="$teacher"
stage 4 distill distill.minutes="$(part 10)" "$@"
(
  stage 4 decoder decoder.unet=false decoder.minutes="$(part 9)" "$@"
  stage 4 export decoder.unet=false export.folder="$out/models/x4-no-unet" "$@"
) &
others="$others $!"
frozen 4 9 "$@"
case ${SCALES:-2 4 8} in
*8*)
  [ ! -e "configs/$family-x8.toml" ] || (
    set -- "$@" distill.teacher="$out/models/x4-frozen"
    stage 8 distill distill.minutes="$(part 8)" "$@"
    frozen 8 6 "$@"
    joint 8 29 "$@"
  ) &
  others="$others $!"
  ;;
esac
joint 4 43 "$@"
for other in $others; do
  wait "$other"
done
echo "run.sh: $out/models: $(cd "$out/models" && echo *)"
