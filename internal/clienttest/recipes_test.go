package clienttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/recipes.md has the recipes as they are here, in an application that is
// example.com/app.
func TestRecipes_AreInTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	recipes := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, code := range recipesIn(t, string(source)) {
			if recipes++; !strings.Contains(string(doc), "```go\n"+code+"```\n") {
				t.Errorf("docs/recipes.md has another recipe for %s than this of %s:\n%s", name, file, code)
			}
		}
	}
	if recipes == 0 {
		t.Error("there are no recipes")
	}
}

// recipesIn returns the code between each "// recipe: NAME" and "// end", by name.
func recipesIn(t *testing.T, source string) map[string]string {
	recipes := map[string]string{}
	var name, indent, code string
	for line := range strings.Lines(source) {
		text := strings.TrimSpace(line)
		switch started, ok := strings.CutPrefix(text, "// recipe: "); {
		case ok && name == "":
			name, indent, code = started, line[:strings.Index(line, "//")], ""
		case text == "// end" && name != "":
			if recipes[name] != "" {
				t.Errorf("there are two recipes for %s", name)
			}
			code = strings.ReplaceAll(strings.TrimRight(code, "\n")+"\n", "github.com/pghold/pghold/internal/clienttest", "example.com/app")
			recipes[name], name = code, ""
		case ok || text == "// end":
			t.Errorf("%q does not begin or end a recipe", text)
		case name != "":
			code += strings.TrimPrefix(line, indent)
		}
	}
	if name != "" {
		t.Errorf("the recipe for %s has no end", name)
	}
	return recipes
}
