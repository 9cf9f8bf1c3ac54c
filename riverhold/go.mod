module github.com/pghold/pghold/riverhold

go 1.25.0

require (
	github.com/pghold/pghold v0.1.0
	github.com/riverqueue/river/rivertype v0.25.0
)
