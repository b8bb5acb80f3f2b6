#!/bin/sh
# Starts the image's own sshd, where there is one and somebody wants it: the file
# /etc/bootsmith/sshd exists, and holds options for it, or the kernel's command line hands in a key
# (smolvm.authorized_key_b64=).  Host keys are made at the first start, and again when a
# power loss has left them empty.

sshd=/usr/sbin/sshd
keys=/etc/ssh

authorized_key() {
    read -r line </proc/cmdline
    for word in $line; do
        case $word in
        smolvm.authorized_key_b64=*) echo "${word#*=}" | base64 -d && return ;;
        esac
    done
    return 1
}

# A key has to be whole on the disk before it has its name: it is made beside its place.
make_host_key() {
    [ -s "$keys/ssh_host_$1_key" ] && [ -s "$keys/ssh_host_$1_key.pub" ] && return
    rm -f "$keys/new_$1" "$keys/new_$1.pub"
    ssh-keygen -q -t "$1" -N '' -C "$(hostname)" -f "$keys/new_$1" || return
    sync
    mv "$keys/new_$1.pub" "$keys/ssh_host_$1_key.pub"
    mv "$keys/new_$1" "$keys/ssh_host_$1_key"
}

authorize() {
    mkdir -p /root/.ssh
    chmod 700 /root/.ssh
    file=/root/.ssh/authorized_keys
    grep -qxF "$1" $file 2>/dev/null || echo "$1" >>$file
    chmod 600 $file
}

[ -x $sshd ] || exit 0
key=$(authorized_key) || key=
[ -n "$key" ] || [ -e /etc/bootsmith/sshd ] || exit 0

[ -n "$key" ] && authorize "$key"
for kind in ed25519 ecdsa; do
    make_host_key $kind
done
sync
mkdir -p /run/sshd
# shellcheck disable=SC2046  # each word is an option
$sshd $(cat /etc/bootsmith/sshd 2>/dev/null) || echo "bootsmith: sshd does not start" >/dev/console
