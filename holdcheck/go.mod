module github.com/pghold/pghold/holdcheck

go 1.26.0

require (
	github.com/pghold/pghold v0.1.0
	golang.org/x/tools v0.40.0
)

require (
	golang.org/x/mod v0.31.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
)
