# The watchdog of one server: watchdog.sh FOLDER
#
#   fd 0  a pipe that only our owner holds open for writing: it ends when the
#         owner lets go of it, or dies
#   fd 3  the pipe FOLDER/alive: it ends when no process of the server is left
#   fd 4  FOLDER/owner.lock: open here, it stays locked while we work
#
# Nothing is ever written to the pipes.

folder=$1
while read -r line; do :; done

# stop tells the server to end, if there is one.
stop() {
	# A negative pid is initdb's helper's; initdb ends by itself.
	end QUIT "$folder/data/postmaster.pid" "$folder/data"
	# PgBouncer has nothing to save, and which of its other signals do not wait
	# for clients depends on its version.
	end KILL "$folder/pgbouncer.pid" "$folder"
}

# end SIGNAL PIDFILE FOLDER. The pid may by now be somebody else's, so the process
# must be at work in the folder.
end() {
	[ -r "$2" ] && read -r pid <"$2" || return
	case $pid in '' | *[!0-9]*) return ;; esac
	if [ -d /proc/self ]; then
		[ "/proc/$pid/cwd" -ef "$3" ] || return
	else
		case $(ps -ww -o args= -p "$pid") in
		*"$3"*) ;;
		*) return ;;
		esac
	fi
	kill -"$1" "$pid"
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
