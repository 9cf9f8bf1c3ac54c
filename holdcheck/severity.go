package holdcheck

import "github.com/pghold/pghold/holdcheck/internal/catalog"

// Severity is how bad a finding is: for how long such a call can take, and how sure
// it is that the connection is held meanwhile. AtLeast compares two.
type Severity = catalog.Severity

const (
	High   = catalog.High   // another machine or process decides how long it takes
	Medium = catalog.Medium // usually fast, and seconds when it is not
	Low    = catalog.Low    // short, or not to be told from the source
)

// Severities are all there are, from the worst to the least.
func Severities() []Severity { return catalog.Severities() }

// Kind is what a slow call does.
type Kind = catalog.Kind

const (
	HTTP       = catalog.HTTP       // an HTTP request
	RPC        = catalog.RPC        // gRPC and the like
	Mail       = catalog.Mail       // SMTP
	Cloud      = catalog.Cloud      // the API of a cloud, object storage included
	Model      = catalog.Model      // a language model
	Network    = catalog.Network    // a connection, a name looked up
	Process    = catalog.Process    // another program
	Sleep      = catalog.Sleep      // time.Sleep, a timer
	Broker     = catalog.Broker     // a queue or a cache: Redis, Kafka, NATS, AMQP
	Blocked    = catalog.Blocked    // a channel, a WaitGroup, a lock
	Client     = catalog.Client     // an answer written while the client decides how fast
	File       = catalog.File       // the disk
	Compute    = catalog.Compute    // the processor: password hashes
	Checkout   = catalog.Checkout   // a second connection from the same pool
	Unresolved = catalog.Unresolved // a call that could not be followed
	Custom     = catalog.Custom     // from the configuration
)

// Kinds are all there are.
func Kinds() []Kind { return catalog.Kinds() }
