package foreigntest

import (
	"os"
	"strings"
	"testing"
)

// docs/recipes.md has the recipes as they are here.
func TestRecipes_AreInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../../../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, language := range map[string]string{"route_comment.py": "python", "route-comment.js": "js"} {
		code, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(doc), "```"+language+"\n"+string(code)+"```\n") {
			t.Errorf("docs/recipes.md has another recipe than this of testdata/%s:\n%s", file, code)
		}
	}
}
