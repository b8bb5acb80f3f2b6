#!/bin/sh
# /usr/bin/sandboxd of an image whose /init is its owner's: what our own /init would do right
# before the agent starts happens here.  The image's environment, then the owner's extra script
# (once: the agent may be started again), then the agent itself.

# No shell reads the environment: this becomes itself with it, and sets no variable.
if [ "${1-}" != --with-environment ]; then
    exec /usr/lib/bootsmith/bootsmith-guest environment \
        /bin/sh /usr/bin/sandboxd --with-environment "$@"
fi
shift

start() {
    trap - EXIT
    exec /usr/lib/bootsmith/sandboxd "$@"
}

# Also when the extra script ends this shell.
trap 'start "$@"' EXIT

if [ -r /etc/bootsmith/init-extra.sh ] && [ ! -e /run/bootsmith/init-extra.done ]; then
    mkdir -p /run/bootsmith && : >/run/bootsmith/init-extra.done
    # shellcheck source=/dev/null
    . /etc/bootsmith/init-extra.sh
fi

start "$@"
