package holdcheck

import (
	"slices"
	"strings"
)

// slowCalls are all slow calls of a finding, its own first.
func (f *Finding) slowCalls() []Other {
	return append([]Other{{f.ID, f.Severity, f.Kind, f.Slow, f.Chain}}, f.Also...)
}

// split takes slow calls out of a finding: those that drop is true for are in
// dropped, the rest are in kept. One of the two is nil where the other is all of it.
func split(f Finding, drop func(Other) bool) (kept, dropped *Finding) {
	var keep, gone []Other
	for _, o := range f.slowCalls() {
		if drop(o) {
			gone = append(gone, o)
		} else {
			keep = append(keep, o)
		}
	}
	return f.of(keep), f.of(gone)
}

// of is the finding with only these of its slow calls: it is about its own, where
// that is among them and as they come first, else about the worst.
func (f Finding) of(calls []Other) *Finding {
	if len(calls) == 0 {
		return nil
	}
	about := 0
	if first := calls[0]; first.ID != f.ID || first.Slow != f.Slow {
		for i, o := range calls {
			if slices.Index(Severities(), o.Severity) < slices.Index(Severities(), calls[about].Severity) {
				about = i
			}
		}
		f.Message = strings.Replace(f.Message, f.Slow.What, calls[about].Slow.What, 1)
		f.Advice = advice(calls[about].Kind)
	}
	o := calls[about]
	f.ID, f.Severity, f.Kind, f.Slow, f.Chain = o.ID, o.Severity, o.Kind, o.Slow, o.Chain
	f.Also = slices.Concat(calls[:about], calls[about+1:])
	if len(f.Also) == 0 {
		f.Also = nil
	}
	return &f
}
