package prove

import "regexp"

var (
	inURL     = regexp.MustCompile(`(://[^:/@\s]*:)([^@\s]*)@`)
	inKeyword = regexp.MustCompile(`(?i)(passw(?:or)?d["']?\s*[=:]\s*|--password[ =]|token["']?\s*[=:]\s*|secret["']?\s*[=:]\s*|api_?key["']?\s*[=:]\s*)(\S+)`)
)

// HidePasswords is words of a command line without what looks like a password: in a URL,
// or behind a word for it. {password} stays: it is not one.
func HidePasswords(all []string) []string {
	var hidden []string
	for _, word := range all {
		for _, secret := range []*regexp.Regexp{inURL, inKeyword} {
			word = secret.ReplaceAllStringFunc(word, func(found string) string {
				parts := secret.FindStringSubmatch(found)
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
