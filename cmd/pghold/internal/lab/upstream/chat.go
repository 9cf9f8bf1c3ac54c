package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// chunks is how many pieces a streamed answer has.
const chunks = 20

// maxEcho is how much of a message the answer mentions, in characters.
const maxEcho = 80

// question is what is read of a request; all else of OpenAI's is ignored.
type question struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Stream   bool      `json:"stream"`
	Options  struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string `json:"role,omitempty"`
	Content text   `json:"content,omitempty"`
}

// text is a message's content. Clients send a string or a list of parts.
type text string

// UnmarshalJSON reads both, and of a list the parts that are text.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if b[0] != '[' {
		err := json.Unmarshal(b, &s)
		*t = text(s)
		return err
	}
	var parts []struct {
		Text string `json:"text"`
	}
	err := json.Unmarshal(b, &parts)
	for _, p := range parts {
		s += p.Text
	}
	*t = text(s)
	return err
}

// completion is an answer, or a chunk of one.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"` // Unix time, in seconds
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *message `json:"delta,omitempty"`
	FinishReason *string  `json:"finish_reason"`
}

// usage counts words: there is no model here that has tokens.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	var q question
	if !decode(w, r, &q) {
		return
	}
	if len(q.Messages) == 0 {
		refuse(w, http.StatusBadRequest, "invalid_request_error", "", "Invalid 'messages': there must be at least one.")
		return
	}
	s.books.Load().chat()
	c := s.begin()
	if c.failure == RateLimited {
		refuseRate(w)
		return
	}
	said := q.answer()
	a := completion{ID: fmt.Sprintf("chatcmpl-%d", s.chatIDs.Add(1)), Object: "chat.completion", Created: time.Now().Unix(), Model: q.Model}
	if q.Stream && (c.failure == None || c.failure == BreaksOff) {
		s.stream(w, r, q, a, said, c)
		return
	}
	if s.until(r.Context(), c.start, c.delay) != nil {
		hangUp()
	}
	w.Header().Set("Content-Type", "application/json")
	if q.Stream { // and fails
		w.Header().Set("Content-Type", "text/event-stream")
	}
	a.Choices = []choice{{Message: &message{"assistant", text(said)}, FinishReason: new("stop")}}
	a.Usage = q.usage(said)
	c.failure.reply(w, r, a)
}

// stream answers in chunks, spread evenly over the delay.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, q question, a completion, said string, c call) {
	w.Header().Set("Content-Type", "text/event-stream")
	a.Object = "chat.completion.chunk"
	characters := []rune(said)
	for i := range chunks {
		if s.until(r.Context(), c.start, c.delay*time.Duration(i+1)/chunks) != nil || c.failure == BreaksOff && i == chunks/2 {
			hangUp()
		}
		delta := message{Content: text(characters[i*len(characters)/chunks : (i+1)*len(characters)/chunks])}
		a.Choices = []choice{{Delta: &delta}}
		switch i {
		case 0:
			delta.Role = "assistant"
		case chunks - 1:
			a.Choices[0].FinishReason = new("stop")
		}
		event(w, a)
	}
	if q.Options.IncludeUsage {
		a.Choices, a.Usage = []choice{}, q.usage(said)
		event(w, a)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// event sends a chunk. An error is the client's leaving, which ends the next wait.
func event(w http.ResponseWriter, a completion) {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // as in reply
	}
	fmt.Fprintf(w, "data: %s\n\n", b)
	http.NewResponseController(w).Flush()
}

// answer is always the same, but for what it mentions.
func (q question) answer() string {
	var last []rune
	for _, m := range q.Messages {
		if m.Role == "user" {
			last = []rune(m.Content)
		}
	}
	if len(last) > maxEcho {
		last = append(last[:maxEcho], '…')
	}
	return fmt.Sprintf("You said: %s. I have thought about it, and it took its time.", string(last))
}

func (q question) usage(said string) *usage {
	u := &usage{Completion: len(strings.Fields(said))}
	for _, m := range q.Messages {
		u.Prompt += len(strings.Fields(string(m.Content)))
	}
	u.Total = u.Prompt + u.Completion
	return u
}
