// Package service runs somebody's command, a service in whatever language, for as long
// as it is needed, and leaves no process of it behind: also where pghold is killed.
//
// It checks that the command's port is free, starts the command in a session of its own
// (so that Ctrl-C reaches pghold only), waits until it serves (on Linux, it and not another
// program that has taken the port meanwhile), and ends it. What it
// starts in turn ends with it: its process group and, on Linux, its session and
// whatever has its environment, wherever that went (see [Service.Stop]). [Database.Env]
// is the environment that leads it to a database.
//
// It does not attack, measure, or look at what the command answers beyond "ready"; it
// does not start it again when it ends; and it does not limit what it prints.
//
// On Windows it ends the command only, at once, and neither the command's children nor,
// where pghold is killed, the command.
package service
