package connstring

import (
	"net/url"
	"regexp"
	"strings"
)

var userKey = regexp.MustCompile(`(^|\s)user\s*=\s*[^\s]`)

// NamesUser reports whether a string that Parse has accepted says as whom to log in. Where
// it does not, pgx takes that from the environment, or from who runs the program.
func NamesUser(s string) bool {
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") {
		return userKey.MatchString(s)
	}
	u, err := url.Parse(s)
	return err == nil && (u.User.Username() != "" || u.Query().Get("user") != "")
}
