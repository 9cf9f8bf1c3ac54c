// Package listing shows what package holdcheck found: Text for people, SARIF for
// code scanning, and GitHub as annotations of a workflow's run.
//
// What it is given comes from source code: no text in it reaches a terminal as it
// is, control characters are shown as Go would quote them.
package listing
