// Package report shows an experiment.Result: Text for a terminal or a pipe, Markdown for
// a run's report.md, HTML for its report.html, and Vegeta as vegeta's own report prints
// it. Card is what a page has of one route, and Picture a drawing of two; package chart
// draws. Meaning says in a sentence what a result means. Compare sets two results side
// by side, and shows them as Text, Markdown and JSON.
//
// It measures nothing and judges nothing that is not in the result: warnings are
// written by whoever measured. Result files come from outside, so no text in them
// reaches a terminal or a page as it is: control characters are shown as Go would
// quote them, and Markdown and shell characters are escaped.
package report
