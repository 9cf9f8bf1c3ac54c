// Package naming is what httphold tells pghold and nobody else needs to.
package naming

import "context"

// Told tells pghold the route that the innermost Do or WithRoute of a context will name,
// for those who may not ask: what names it is called by who takes a connection only.
// pghold sets it.
var Told func(ctx context.Context, route string)
