//go:build !linux

package prove

// processors is not known on this system.
type processors struct{}

func processorTime() processors { return processors{} }

func (processors) busySince(processors) float64 { return 0 }
