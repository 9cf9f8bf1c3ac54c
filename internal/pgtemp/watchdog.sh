# The watchdog of one cluster: watchdog.sh FOLDER
#
#   fd 0  a pipe that only our owner holds open for writing: it ends when the
#         owner lets go of it, or dies
#   fd 3  the pipe FOLDER/alive: it ends when no process of the cluster is left
#   fd 4  FOLDER/owner.lock: open here, it stays locked while we work
#
# Nothing is ever written to the pipes.

folder=$1
while read -r line; do :; done

# stop tells the server to end, if there is one. The pid in its pid file may by
# now be somebody else's, so the process must be at work in our data folder.
# A negative one is initdb's helper's; initdb ends by itself.
stop() {
	[ -r "$folder/data/postmaster.pid" ] || return
	{ read -r pid && read -r data; } <"$folder/data/postmaster.pid" || return
	case $pid in '' | *[!0-9]*) return ;; esac
	[ "$data" = "$folder/data" ] || return
	if [ -d /proc/self ]; then
		[ "/proc/$pid/cwd" -ef "$data" ] || return
	else
		case $(ps -ww -o args= -p "$pid") in
		*"$data"*) ;;
		*) return ;;
		esac
	fi
	kill -QUIT "$pid"
}

(
	while read -r line; do :; done <&3
	rm -rf "$folder"
) &

# Again and again, for a server that was just starting when its owner died.
tries=0
while [ -d "$folder" ] && [ "$tries" -lt 600 ]; do
	stop
	tries=$((tries + 1))
	sleep 0.1 || sleep 1
done
wait
