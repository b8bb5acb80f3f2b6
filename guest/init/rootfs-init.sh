#!/bin/sh
# Process 1 of the root file system: makes the machine ready, then hands over to the agent.
#
# It runs on any POSIX shell (dash, busybox sh, bash) and needs no other program of the
# distribution: what takes one is done by bootsmith-guest (mounts, network, ports).
# A script of yours may take its place (init.rootfsInit) or be run by it (init.rootfsInitExtra,
# which becomes /etc/bootsmith/init-extra.sh).

# Remote login, where the image has it and somebody wants it.  Then the supervisor becomes
# process 1: it starts the agent and the forwarders, and reaps.
hand_over() {
    trap - EXIT
    [ -x /usr/lib/bootsmith/sshd.sh ] && /usr/lib/bootsmith/sshd.sh &
    exec /usr/lib/bootsmith/bootsmith-guest "$@" \
        supervise /usr/bin/sandboxd /usr/bin/sandboxssh /usr/bin/sandboxingress
}

# The second time around, in the image's environment (see the end).  No variable is set here.
if [ "${1-}" = with-environment ]; then
    # Also when the script ends this shell: the kernel would panic without a process 1.
    trap hand_over EXIT
    # shellcheck source=/dev/null
    . /etc/bootsmith/init-extra.sh
    hand_over
fi

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root

guest=/usr/lib/bootsmith/bootsmith-guest

say() {
    echo "bootsmith: $*" >/dev/console
}

# proc, sys, dev, tmpfs, hostname, network, /dev/virtio-ports.
"$guest" setup || say "setup failed"

# What the image wants beyond the modules of the initramfs; nothing below waits for these.
"$guest" modules &

# The host's certificate authority, when it hands one in, beside the system's own.
host_ca=/etc/gondolin/mitm/ca.crt
if [ -s "$host_ca" ]; then
    bundle=/run/bootsmith/ca-certificates.crt
    for system in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt; do
        [ -r "$system" ] && break
    done
    mkdir -p /run/bootsmith
    { cat "$system" 2>/dev/null; echo; cat "$host_ca"; } >"$bundle" || say "cannot write $bundle"
    export SSL_CERT_FILE="$bundle" CURL_CA_BUNDLE="$bundle" REQUESTS_CA_BUNDLE="$bundle"
    export NODE_EXTRA_CA_CERTS="$host_ca"
fi

# The image's environment comes last, and no shell reads it: nothing in here depends on what it
# says.  A script of the image's sees it, and may change it.
if [ -r /etc/bootsmith/init-extra.sh ]; then
    exec "$guest" environment /bin/sh "$0" with-environment
fi
hand_over environment "$guest"
