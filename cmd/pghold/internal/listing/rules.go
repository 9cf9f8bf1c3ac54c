package listing

import "github.com/pghold/pghold/holdcheck"

// rule describes a kind of finding.
type rule struct {
	id, name string
	text     string // what is done while a database connection is held
	severity holdcheck.Severity
}

// docs is the page about the checks.
const docs = "https://github.com/pghold/pghold/blob/main/docs/check.md"

// rules are all kinds, and after them what can be wrong with a pghold:ignore.
var rules = []rule{
	{string(holdcheck.HTTP), "HTTPWhileHolding", "an HTTP request is made", holdcheck.High},
	{string(holdcheck.RPC), "RPCWhileHolding", "another service is called", holdcheck.High},
	{string(holdcheck.Mail), "MailWhileHolding", "mail is sent", holdcheck.High},
	{string(holdcheck.Cloud), "CloudWhileHolding", "the API of a cloud is called", holdcheck.High},
	{string(holdcheck.Model), "ModelWhileHolding", "a language model is asked", holdcheck.High},
	{string(holdcheck.Network), "NetworkWhileHolding", "a network connection is made or a name looked up", holdcheck.High},
	{string(holdcheck.Process), "ProcessWhileHolding", "another program is run", holdcheck.High},
	{string(holdcheck.Sleep), "SleepWhileHolding", "the program sleeps", holdcheck.High},
	{string(holdcheck.Broker), "BrokerWhileHolding", "a queue or a cache is called", holdcheck.Medium},
	{string(holdcheck.Blocked), "BlockedWhileHolding", "the program waits for a channel, a lock or a goroutine", holdcheck.Medium},
	{string(holdcheck.Client), "ClientWhileHolding", "an answer is written, as fast as its client reads", holdcheck.Medium},
	{string(holdcheck.File), "FileWhileHolding", "a file is read or written", holdcheck.Low},
	{string(holdcheck.Compute), "ComputeWhileHolding", "the processor works for long", holdcheck.Low},
	{string(holdcheck.Checkout), "CheckoutWhileHolding", "a second connection is taken from the same pool", holdcheck.High},
	{string(holdcheck.Unresolved), "UnresolvedWhileHolding", "a call is made that could not be followed", holdcheck.Low},
	{string(holdcheck.Custom), "CustomWhileHolding", "a call is made that the configuration says is slow", holdcheck.High},
	{ignoreWithoutReason, "IgnoreWithoutReason", "", holdcheck.High},
	{unusedIgnore, "UnusedIgnore", "", holdcheck.Low},
}

const (
	ignoreWithoutReason = "ignore-without-reason"
	unusedIgnore        = "unused-ignore"
)

// sentence is what the rule is about.
func (r rule) sentence() string {
	switch r.id {
	case ignoreWithoutReason:
		return "A pghold:ignore comment gives no reason, and ignores nothing."
	case unusedIgnore:
		return "A pghold:ignore comment ignores nothing."
	}
	return "While a database connection is held, " + r.text + "."
}

func ruleIndex(id string) int {
	for i, r := range rules {
		if r.id == id {
			return i
		}
	}
	return -1
}
