#!/bin/sh
# /usr/bin/sandboxd of an image whose /init is its owner's: what our own /init would do right
# before the agent starts happens here.  The image's environment, then the owner's extra script
# (once: the agent may be started again), then the agent itself.

extra=/etc/bootsmith/init-extra.sh
done=/run/bootsmith/init-extra.done

start() {
    trap - EXIT
    exec /usr/lib/bootsmith/sandboxd "$@"
}

# Also when the extra script ends this shell.
trap 'start "$@"' EXIT

if [ -r /etc/bootsmith/env ]; then
    set -a
    # shellcheck source=/dev/null
    . /etc/bootsmith/env || echo "bootsmith: /etc/bootsmith/env is not a list of NAME='value' lines" >&2
    set +a
fi

if [ -r $extra ] && [ ! -e $done ]; then
    mkdir -p /run/bootsmith && : >$done
    # shellcheck source=/dev/null
    . $extra
fi

start "$@"
