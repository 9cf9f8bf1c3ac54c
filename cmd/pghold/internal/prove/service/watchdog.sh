# The watchdog of one command: watchdog.sh MARKER
#
#   MARKER  NAME=value, in the environment of the command and what it starts
#   fd 0    a pipe that only pghold holds open for writing: it ends when pghold does.
#           In it is the command's process group, once there is one.

read -r group
read -r end

# Until nobody is left who has the marker: one who is being killed may have started
# another one. Without /proc there is the group only. (No grep -F: BusyBox's ends at a
# NUL, which is between two variables.)
tries=0
while
	again=
	[ -z "$group" ] || kill -KILL "-$group"
	for file in $(grep -ls "$1" /proc/[0-9]*/environ); do
		pid=${file#/proc/}
		kill -KILL "${pid%/environ}" && again=yes
	done
	[ "$again" ] && [ "$tries" -lt 100 ]
do
	tries=$((tries + 1))
	sleep 0.1 || sleep 1
done
