# Read by /init, as root, once everything is mounted and the network is up.  See init-extra.json.
export STARTED_BY="$STARTED_BY and init-extra.sh"
note "by $STARTED_BY"
