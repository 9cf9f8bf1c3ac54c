package activity

import "context"

// Sample takes one sample.
func (s *Source) Sample(ctx context.Context) error { return s.sample(ctx) }
