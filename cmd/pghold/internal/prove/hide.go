package prove

import (
	"regexp"
	"strings"
)

var (
	inURL     = regexp.MustCompile(`(://[^:/@\s]*:)([^@\s]*)@`)
	secret    = `(?:pass(?:w(?:or)?d)?|pwd|token|secret|api_?key)`
	inKeyword = regexp.MustCompile(`(?i)(` + secret + `["']?\s*[=:]\s*)(\S+)`)
	inWords   = regexp.MustCompile(`(?i)(--?[a-z0-9-]*` + secret + `\s+)(\S+)`)
	bareFlag  = regexp.MustCompile(`(?i)^--?[a-z0-9-]*` + secret + `$`)
)

// HidePasswords is words of a command line without what looks like a password: in a URL,
// or behind a word for one, with a space between or in the word after it. {password} stays:
// it is not one.
func HidePasswords(all []string) []string {
	var hidden []string
	for i, word := range all {
		if i > 0 && bareFlag.MatchString(all[i-1]) && !strings.HasPrefix(word, "-") {
			hidden = append(hidden, "…")
			continue
		}
		for _, form := range []*regexp.Regexp{inURL, inKeyword, inWords} {
			word = form.ReplaceAllStringFunc(word, func(found string) string {
				parts := form.FindStringSubmatch(found)
				if parts[2] == "{password}" || parts[2] == "" {
					return found
				}
				return parts[1] + "…" + found[len(parts[1])+len(parts[2]):]
			})
		}
		hidden = append(hidden, word)
	}
	return hidden
}
