#!/bin/sh
# Starts QEMU with the gdbstub on one port and the monitor 100 above it, both on 127.0.0.1 only:
#
#     launch.sh [--debug-port N] [--] ARGUMENTS-FOR-QEMU...
#
# The debug port is 1234 unless told otherwise, so the monitor is on 1334. QEMU names the program
# to run (default qemu-system-x86_64); everything else on the command line goes to it untouched.
set -eu

debug_port=1234
case ${1-} in
--debug-port)
  debug_port=${2:?--debug-port needs a number}
  shift 2
  ;;
--debug-port=*)
  debug_port=${1#*=}
  shift
  ;;
-h | --help)
  sed -n 's/^# \{0,1\}//p' "$0" | sed 1d
  exit 0
  ;;
esac
[ "${1-}" = -- ] && shift
case $debug_port in
'' | *[!0-9]*)
  echo "launch.sh: --debug-port must be a number, not \"$debug_port\"" >&2
  exit 3
  ;;
esac

monitor_port=$((debug_port + 100))
echo "gdbstub 127.0.0.1:$debug_port, monitor 127.0.0.1:$monitor_port" >&2
exec "${QEMU:-qemu-system-x86_64}" \
  -gdb "tcp:127.0.0.1:$debug_port" \
  -monitor "tcp:127.0.0.1:$monitor_port,server=on,wait=off" \
  "$@"
