module github.com/pghold/pghold/internal/clienttest

go 1.26.0

require (
	github.com/pghold/pghold v0.1.0
	github.com/stripe/stripe-go/v85 v85.0.0
	golang.org/x/oauth2 v0.38.0
)
