#!/bin/bash
# poweroff, halt, reboot and shutdown of a server: the signal for its first process.
name=$(basename "$0")
number=TERM
[ "$name" = reboot ] && number=HUP
for word in "$@"; do
    case $word in
        -r | --reboot) number=HUP ;;
        -c) exit 0 ;;
    esac
done
# Whoever asked by SSH hears that it was done.
(
    sleep 0.5
    kill -$number 1
) >/dev/null 2>&1 </dev/null &
