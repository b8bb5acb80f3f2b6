"""What lies in the folder of a kept machine."""

SOCKET_NAME = "socket"
LOG_NAME = "console.log"
KEEPER_LOG_NAME = "keeper.log"
