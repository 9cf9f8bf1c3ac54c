package callsite

import (
	"runtime"
	"testing"
)

func TestDeclared(t *testing.T) {
	for function, want := range map[string]string{
		"main.main":                                   "main.main",
		"example.com/app.Serve.func1":                 "example.com/app.Serve",
		"example.com/app.Serve.func1.2":               "example.com/app.Serve",
		"example.com/app.Serve.gowrap1":               "example.com/app.Serve",
		"example.com/app.(*Server).Pay.deferwrap2":    "example.com/app.(*Server).Pay",
		"example.com/app.(*Server).Pay-fm":            "example.com/app.(*Server).Pay",
		"example.com/app.Serve-range1":                "example.com/app.Serve",
		"example.com/app.Serve-range1.func2":          "example.com/app.Serve",
		"example.com/app.Each[...]":                   "example.com/app.Each",
		"example.com/app.Each[...].func1":             "example.com/app.Each",
		"example.com/app.(*List[...]).Each.func1":     "example.com/app.(*List).Each",
		"example.com/app.Value.Pay.func1":             "example.com/app.Value.Pay",
		"example.com/app.init.func1":                  "example.com/app.init",
		"example.com/app.funcs":                       "example.com/app.funcs",
		"example.com/app.x.function.func1":            "example.com/app.x.function",
		"example.com/app-range1/db.Get":               "example.com/app-range1/db.Get",
		"gopkg.in/app%2ev2.(*Server).Pay.func1":       "gopkg.in/app%2ev2.(*Server).Pay",
		"example.com/app.Serve.(*Server).Pay.func1":   "example.com/app.(*Server).Pay", // inlined into Serve
		"main.(*A).Pay-fm.(*A).Pay.func1":             "main.(*A).Pay",
		"main.(*A).Serve.(*B[...]).Pay.func1.gowrap2": "main.(*B).Pay",
		"main.Serve.func1.refund.func2":               "main.refund",
		"main.Serve-range1.refund.func2":              "main.refund",
		"main.Serve.func1.2.(*Store).Get.func1":       "main.(*Store).Get",
		"main.func1":                                  "main.func1",
		"":                                            "",
	} {
		if got := Declared(function); got != want {
			t.Errorf("%s: got %s, want %s", function, got, want)
		}
	}
}

func TestWithPath(t *testing.T) {
	for _, c := range []struct{ function, path, want string }{
		{"main.pay", "example.com/shop/cmd/api", "example.com/shop/cmd/api.pay"},
		{"main.(*Server).Pay", "example.com/shop.v2", "example.com/shop%2ev2.(*Server).Pay"},
		{"main.pay", "", "main.pay"},
		{"main.pay", "command-line-arguments", "main.pay"},
		{"example.com/main.pay", "example.com/shop", "example.com/main.pay"},
		{"mains.pay", "example.com/shop", "mains.pay"},
	} {
		if got := withPath(c.function, c.path); got != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.function, c.path, got, c.want)
		}
	}
}

// Whose closure it is that was inlined, its name alone does not tell; that of a function
// in the same file below it on the stack does.
func TestDeclaredOn(t *testing.T) {
	closure := runtime.Frame{Function: "example.com/app.Serve.charge.func1", File: "/app/charge.go"}
	for name, c := range map[string]struct {
		below []runtime.Frame
		want  string
	}{
		"nothing below":      {nil, "example.com/app.Serve.charge"},
		"the function":       {[]runtime.Frame{{Function: "example.com/app.charge", File: "/app/charge.go"}}, "example.com/app.charge"},
		"of another package": {[]runtime.Frame{{Function: "example.com/app.Serve", File: "/app/serve.go"}, {Function: "example.com/bank.charge", File: "/app/charge.go"}}, "example.com/bank.charge"},
		"in another file":    {[]runtime.Frame{{Function: "example.com/bank.charge", File: "/bank/charge.go"}}, "example.com/app.Serve.charge"},
		"another closure":    {[]runtime.Frame{{Function: "example.com/app.charge.func1", File: "/app/charge.go"}}, "example.com/app.Serve.charge"},
		"a longer name":      {[]runtime.Frame{{Function: "example.com/app.recharge", File: "/app/charge.go"}}, "example.com/app.Serve.charge"},
	} {
		if got := declaredOn(append([]runtime.Frame{closure}, c.below...)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
