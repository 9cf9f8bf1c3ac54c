// Package backoff is a stub.
package backoff

import "time"

type Operation func() error

type BackOff interface{ NextBackOff() time.Duration }

type Exponential struct{ d time.Duration }

func (e *Exponential) NextBackOff() time.Duration { return e.d }

func NewExponentialBackOff() *Exponential { return &Exponential{time.Second} }

func Retry(o Operation, b BackOff) error {
	for {
		err := o()
		if err == nil {
			return nil
		}
		time.Sleep(b.NextBackOff())
	}
}
