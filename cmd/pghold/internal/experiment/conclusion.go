package experiment

// Conclusion is what follows from some cases of a result, in words and in figures.
type Conclusion struct {
	// About is what was asked: "timeouts", "connections", "room", "breaks", "what_if".
	// Of Result.ContradictedBy it is "waiting".
	About string `json:"about"`
	// Cases are the names of those that the answer is true of.
	Cases    []string `json:"cases"`
	Sentence string   `json:"sentence"`
	// Figures are the numbers in the sentence, by names that end in their units.
	Figures map[string]float64 `json:"figures,omitempty"`
	// Unreached is true where a target was given and cannot be reached, or the server has
	// no room for the connections.
	Unreached bool `json:"unreached,omitempty"`
}
