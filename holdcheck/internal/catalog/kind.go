package catalog

import "slices"

// Severity is how bad a finding is: for how long such a call can take, and how sure
// it is that the connection is held meanwhile.
type Severity string

const (
	High   Severity = "high"   // another machine or process decides how long it takes
	Medium Severity = "medium" // usually fast, and seconds when it is not
	Low    Severity = "low"    // short, or not to be told from the source
)

// Severities are all there are, from the worst to the least.
func Severities() []Severity { return []Severity{High, Medium, Low} }

// AtLeast reports whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities(), s) <= slices.Index(Severities(), other)
}

// Kind is what a slow call does.
type Kind string

const (
	HTTP       Kind = "http"       // an HTTP request
	RPC        Kind = "rpc"        // gRPC and the like
	Mail       Kind = "mail"       // SMTP
	Cloud      Kind = "cloud"      // the API of a cloud, object storage included
	Model      Kind = "model"      // a language model
	Network    Kind = "network"    // a connection, a name looked up
	Process    Kind = "process"    // another program
	Sleep      Kind = "sleep"      // time.Sleep, a timer
	Broker     Kind = "broker"     // a queue or a cache: Redis, Kafka, NATS, AMQP
	Blocked    Kind = "blocked"    // a channel, a WaitGroup, a lock
	Client     Kind = "client"     // an answer written while the client decides how fast
	File       Kind = "file"       // the disk
	Compute    Kind = "compute"    // the processor: password hashes
	Checkout   Kind = "checkout"   // a second connection from the same pool
	Unresolved Kind = "unresolved" // a call that could not be followed
	Custom     Kind = "custom"     // from the configuration
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{HTTP, RPC, Mail, Cloud, Model, Network, Process, Sleep, Broker, Blocked, Client, File, Compute, Checkout, Unresolved, Custom}
}
