module github.com/pghold/pghold

go 1.25.0
