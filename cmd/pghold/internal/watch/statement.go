package watch

import (
	"bytes"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/DataDog/go-sqllexer"
)

// Statement is what is kept of a statement's text.
type Statement struct {
	text  string
	once  sync.Once
	shape string
	route string
}

// MaxText is how much of a statement's text is looked at, in bytes.
const MaxText = 16 << 10

// maxShape is how much of a shape is kept, in bytes.
const maxShape = 400

// Shape is the statement without its values and comments, and at most 400 bytes of it:
// "SELECT name FROM users WHERE id = ?".
func (s *Statement) Shape() string {
	s.once.Do(s.look)
	return s.shape
}

// Route is the route that a comment names, "" where none does: route in sqlcommenter's
// form (/*route='%2Fusers'*/), else controller and action in its or marginalia's
// (/*controller:users,action:show*/), else action or job.
func (s *Statement) Route() string {
	s.once.Do(s.look)
	return s.route
}

// ShortGaps is what stands for the statements before gaps under a millisecond, which are
// counted together: a client's way to the server and back.
const ShortGaps = "(gaps under 1 ms)"

var (
	shortStatement = known(ShortGaps)
	// UnknownStatement is one of which the text is not known.
	UnknownStatement = known("(statement not seen)")
)

func known(shape string) *Statement {
	s := &Statement{shape: shape}
	s.once.Do(func() {})
	return s
}

var (
	obfuscator = sqllexer.NewObfuscator(
		sqllexer.WithReplaceBoolean(true), sqllexer.WithReplaceNull(true), sqllexer.WithReplaceBindParameter(true))
	normalizer = sqllexer.NewNormalizer(
		sqllexer.WithCollectComments(true), sqllexer.WithUppercaseKeywords(true),
		sqllexer.WithKeepSQLAlias(true), sqllexer.WithRemoveSpaceBetweenParentheses(true), sqllexer.WithKeepIdentifierQuotation(true))
)

// cutMark ends a text of which the end is not known. Postgres takes no text with it.
const cutMark = "\x00"

func (s *Statement) look() {
	text, isCut := strings.CutSuffix(s.text, cutMark)
	text = whole(strings.ToValidUTF8(text, "\uFFFD"))
	shape, about, err := sqllexer.ObfuscateAndNormalize(text, obfuscator, normalizer, sqllexer.WithDBMS(sqllexer.DBMSPostgres))
	if err != nil {
		shape = "(a statement that cannot be read)"
	}
	shape = strings.ReplaceAll(shape, ",,", ",") // which the lexer makes of f(1, a)
	if isCut {
		shape += "…"
	}
	s.shape = Shorten(strings.Clone(shape), maxShape)
	if about != nil {
		s.route = routeIn(about.Comments)
	}
	s.text = ""
}

// whole is a text without a quoted string or comment that begins in it and does not end,
// in which a lexer sees no value to leave out.
func whole(text string) string {
	length := 0
	for lexer := sqllexer.New(text, sqllexer.WithDBMS(sqllexer.DBMSPostgres)); ; {
		switch token := lexer.Scan(); token.Type {
		case sqllexer.EOF:
			return text
		case sqllexer.ERROR:
			return text[:length]
		default:
			length += len(token.Value)
		}
	}
}

// Shorten cuts a shape to a number of bytes. What a SELECT reads goes first: "SELECT …
// FROM carts WHERE id = ?".
func Shorten(shape string, most int) string {
	if len(shape) > most && strings.HasPrefix(shape, "SELECT ") {
		if from := strings.Index(shape, " FROM "); from > 0 {
			shape = "SELECT …" + shape[from:]
		}
	}
	return cut(shape, most)
}

// cut cuts text to a number of bytes, and marks where.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	most -= len("…")
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// maxRoute is how much of a route's name is kept, in bytes.
const maxRoute = 100

// routeIn is the route that comments name. The last one that names one counts: a
// framework's own stands before what is put at the end.
func routeIn(comments []string) (route string) {
	for _, c := range comments {
		tags := map[string]string{}
		body, ok := strings.CutPrefix(c, "/*")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(strings.TrimSuffix(body, "*/"), ",") {
			pair = strings.TrimSpace(pair)
			i := strings.IndexAny(pair, "=:")
			if i < 0 {
				continue
			}
			key, value := pair[:i], pair[i+1:]
			if quoted, ok := strings.CutPrefix(value, "'"); ok {
				value = strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), `\'`, "'")
			}
			if pair[i] == '=' {
				if plain, err := url.PathUnescape(value); err == nil {
					value = plain
				}
			}
			tags[key] = strings.ToValidUTF8(value, "\uFFFD")
		}
		controller, action := tags["controller"], tags["action"]
		switch {
		case tags["route"] != "":
			route = tags["route"]
		case controller != "" && action != "":
			route = controller + "#" + action
		case action != "":
			route = action
		case tags["job"] != "":
			route = tags["job"]
		}
	}
	return cut(strings.Clone(route), maxRoute)
}

// statements remembers what texts are like, those of late: two halves, of which the
// older is dropped when the newer is full.
type statements struct {
	mu         sync.Mutex // guards what follows
	new, old   map[string]*Statement
	bytes, max int // of texts in new, and how many are kept
}

func newStatements() *statements {
	return &statements{new: map[string]*Statement{}, max: 4 << 20}
}

// of is the statement of a text, of which it keeps a copy where it is not known.
func (s *statements) of(text []byte) *Statement {
	if len(text) > MaxText {
		text = append(bytes.Clone(text[:MaxText]), cutMark...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.new[string(text)]; st != nil {
		return st
	}
	st := s.old[string(text)]
	if st == nil {
		st = &Statement{text: string(text)}
	}
	if s.bytes += len(text) + 200; s.bytes > s.max { // with what a Statement and a map take
		s.old, s.new, s.bytes = s.new, map[string]*Statement{}, len(text)+200
	}
	s.new[string(text)] = st
	return st
}
