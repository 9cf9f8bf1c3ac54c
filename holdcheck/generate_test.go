package holdcheck

import (
	"fmt"
	"strings"
)

// generator writes a program. Each byte decides one thing; after the last, all is 0.
type generator struct {
	b         []byte
	out       strings.Builder
	functions int
	depth     int
	nesting   int    // of expressions
	labels    []int  // of the loops around
	ret       string // how to return
	number    int
}

// generate makes a program of bytes. All functions have the same parameters, results
// and variables, so that everything fits everywhere.
func generate(b []byte) string {
	g := &generator{b: b}
	g.out.WriteString(prelude)
	g.functions = 1 + g.pick(6)
	for i := range g.functions {
		recv, typeParams := "", ""
		switch g.pick(4) {
		case 1:
			recv = "(z *Store) "
		case 2:
			recv = "(z Outer) "
		case 3:
			typeParams = "[T any]"
		}
		g.line("func %sF%d%s(%s) (%s) {", recv, i, typeParams, parameters, results)
		g.function(3+g.pick(8), "return", true)
		g.line("}\n")
		// Under the same name for everybody.
		pass := fmt.Sprintf("F%d(ctx, s, tx, f, g, n)", i)
		switch {
		case recv == "(z *Store) ":
			pass = "s." + pass
		case recv != "":
			pass = "Outer{Store: s}." + pass
		case typeParams != "":
			pass = fmt.Sprintf("F%d[*sql.Tx](ctx, s, tx, f, g, n)", i)
		}
		g.line("func call%d(%s) (%s) { return %s }\n", i, parameters, results, pass)
	}
	return g.out.String()
}

const (
	parameters = "ctx context.Context, s *Store, tx *sql.Tx, f func() error, g func(*sql.Tx) error, n int"
	results    = "rtx *sql.Tx, rf func() error, err error"
)

func (g *generator) pick(n int) int {
	if len(g.b) == 0 {
		return 0
	}
	v := int(g.b[0]) % n
	g.b = g.b[1:]
	return v
}

func (g *generator) line(format string, args ...any) {
	fmt.Fprintf(&g.out, format+"\n", args...)
}

// function writes the body of a function with n statements, and the return at its
// end; full is one of the program's functions, not a closure.
func (g *generator) function(n int, ret string, full bool) {
	labels, outer := g.labels, g.ret
	g.labels, g.ret = nil, ret
	if full {
		g.line("var rows *sql.Rows\nvar conn *sql.Conn\nvar row *sql.Row\nvar t2 *sql.Tx\nvar h func() error\nvar d Doer = value{}\nvar a any\nvar o Outer\nvar ch = make(chan int, n)\nvar wg sync.WaitGroup\nvar repo Repo[*sql.Tx]\nvar cp Store\nvar cancel func()\nvar ok bool")
		g.line("_, _, _, _, _, _, _, _, _, _, _, _, _ = rows, conn, row, t2, h, d, a, o, ch, &wg, repo, &cp, ok\n_ = cancel")
	}
	g.statements(n)
	if full {
		ret = fmt.Sprintf("return %s, %s, err", g.tx(), g.fn())
	}
	g.line("%s", ret)
	g.labels, g.ret = labels, outer
}

func (g *generator) statements(n int) {
	g.depth++
	for range n {
		g.statement()
	}
	g.depth--
}

func (g *generator) block() {
	if g.depth > 5 {
		return
	}
	g.statements(g.pick(4))
}

// text is what write writes.
func (g *generator) text(write func()) string {
	out := g.out
	g.out = strings.Builder{}
	write()
	text := g.out.String()
	g.out = out
	return text
}

func (g *generator) tx() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "tx"
	}
	defer func() { g.nesting-- }()
	switch g.pick(16) {
	case 0:
		return "tx"
	case 1:
		return "t2"
	case 2:
		return "s.tx"
	case 3:
		return "s.next.next.tx"
	case 4:
		return "must(s.db.Begin())"
	case 5:
		return "must(s.db.BeginTx(ctx, nil))"
	case 6:
		return `ctx.Value("tx").(*sql.Tx)`
	case 7:
		return "ident[*sql.Tx](" + g.tx() + ")"
	case 8:
		return "(&Repo[*sql.Tx]{x: " + g.tx() + "}).Get()"
	case 9:
		return "d.Tx()"
	case 10:
		return "glob.in.tx"
	case 11:
		return "repo.next.x"
	case 12:
		return "s.in.tx"
	case 13:
		return "o.Tx()"
	case 14:
		return "(*sql.Tx)(nil)"
	}
	return "cp.tx"
}

func (g *generator) fn() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "f"
	}
	defer func() { g.nesting-- }()
	switch g.pick(17) {
	case 0:
		return "f"
	case 1, 2, 3:
		return "func() error " + g.closure("return err")
	case 4:
		return "h"
	case 5:
		return "s.f"
	case 6:
		return `s.fns["x"]`
	case 7:
		return "s.list[n]"
	case 8:
		return g.tx() + ".Commit"
	case 9:
		return g.tx() + ".Rollback"
	case 10:
		return "rows.Close"
	case 11:
		return "Closer(s).Close"
	case 12:
		return "o.Close"
	case 13:
		return "globF"
	case 14:
		return "Func(" + g.fn() + ")"
	case 15:
		return "ident[func() error](" + g.fn() + ")"
	}
	return "func() (err error) " + g.closure("return "+g.fn()+"()")
}

// closure is a function's body.
func (g *generator) closure(ret string) string {
	n := g.depthless()
	return "{\n" + g.text(func() { g.function(n, ret, false) }) + "}"
}

// depthless is how many statements a closure has: none where it is deep.
func (g *generator) depthless() int {
	if g.depth > 4 {
		return 0
	}
	return g.pick(4)
}

func (g *generator) gn() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "g"
	}
	defer func() { g.nesting-- }()
	switch g.pick(8) {
	case 0, 1:
		return "g"
	case 2, 3:
		return "func(tx *sql.Tx) error " + g.closure("return err")
	case 4:
		return "s.g"
	case 5:
		return "s.arr[n%3]"
	case 6:
		return "s.use"
	}
	return "func(x *sql.Tx) (err error) { defer x.Rollback(); return g(x) }"
}

func (g *generator) store() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "s"
	}
	defer func() { g.nesting-- }()
	switch g.pick(6) {
	case 1:
		return "s.next"
	case 2:
		return "(&Store{db: s.db, tx: " + g.tx() + ", f: " + g.fn() + "})"
	case 3:
		return "(&cp)"
	case 4:
		return "o.Store"
	case 5:
		return "glob"
	}
	return "s"
}

func (g *generator) cond() string {
	switch g.pick(11) {
	case 0:
		return "err != nil"
	case 1:
		return "n > 3"
	case 2:
		return g.tx() + " == nil"
	case 3:
		return "rows.Next()"
	case 4:
		return "ok"
	case 5:
		return "!ok && f != nil"
	case 6:
		return "err == errX"
	case 7:
		return "true"
	case 8:
		return "tx != t2 || a != nil"
	case 9:
		return "rows == nil"
	}
	return "n == 0"
}

func (g *generator) loop(head string) {
	g.number++
	label := g.number
	g.labels = append(g.labels, label)
	g.line("L%d:\n%s {", label, head)
	g.block()
	g.line("if %s { %s L%d }", g.cond(), []string{"break", "continue"}[g.pick(2)], g.labels[g.pick(len(g.labels))])
	g.line("if n < 0 { continue L%d }", label)
	g.line("}")
	g.labels = g.labels[:len(g.labels)-1]
}

func (g *generator) statement() {
	if g.depth > 5 {
		g.line("_, err = http.Get(\"u\")")
		return
	}
	switch g.pick(53) {
	case 0:
		g.line("_, err = http.Get(\"u\")")
	case 1, 2:
		g.line("tx, err = s.db.BeginTx(ctx, nil)")
	case 3:
		g.line("t2, err = %s.db.Begin()", g.store())
	case 4:
		g.line("if err != nil { panic(err) }")
	case 5:
		g.line("err = %s.Commit()", g.tx())
	case 6:
		g.line("defer %s.Rollback()", g.tx())
	case 7:
		g.line("defer func() { if p := recover(); p != nil { ok = true }\nfunc() %s()\n}()", g.closure("return"))
	case 8:
		g.line("if %s {", g.cond())
		g.block()
		g.line("} else if %s {", g.cond())
		g.block()
		g.line("}")
	case 9:
		g.loop("for " + g.cond())
	case 10:
		g.loop("for i := n; i > 0; i--")
	case 11:
		g.loop("for range each(" + g.store() + ")")
	case 12:
		g.loop("for _, h = range s.fns")
	case 13:
		g.line("rows, err = s.db.QueryContext(ctx, \"q\")")
	case 14:
		g.line("for rows.Next() {\nerr = rows.Scan(&n)")
		g.block()
		g.line("}")
	case 15:
		g.line("err = rows.Close()")
	case 16:
		g.line("err = s.db.QueryRowContext(ctx, \"q\").Scan(&n)")
	case 17:
		g.line("row = s.db.QueryRowContext(ctx, \"q\")\nerr = row.Scan(&n)")
	case 18:
		g.line("conn, err = s.db.Conn(ctx)\ndefer conn.Close()")
	case 19:
		g.line("err = conn.Raw(func(any) error %s)", g.closure("return err"))
	case 20:
		g.line("h = %s", g.fn())
	case 21:
		g.line("err = %s()", g.fn())
	case 22:
		g.line("err = %s(%s)", g.gn(), g.tx())
	case 23:
		g.line("s.f = %s", g.fn())
	case 24:
		g.line("s.fns[\"x\"] = %s", g.fn())
	case 25:
		g.line("s.list = append(s.list, %s, %s)", g.fn(), g.fn())
	case 26:
		g.line("s.arr[1] = %s", g.gn())
	case 27, 28, 29:
		g.line("t2, h, err = call%d(ctx, %s, %s, %s, %s, n-1)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 30:
		g.line("go call%d(ctx, %s, %s, %s, %s, 1)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 31:
		g.line("defer call%d(ctx, %s, %s, %s, %s, 0)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 32:
		g.line("wg.Go(func() %s)\nwg.Add(1)\ngo func() { defer wg.Done(); _ = %s() }()\nwg.Wait()", g.closure("return"), g.fn())
	case 33:
		g.line("go func() {\n_ = %s()\nch <- 1 }()\n<-ch", g.fn())
	case 34:
		g.line("select {\ncase n = <-ch:")
		g.block()
		g.line("case s.ch <- n:\ncase <-ctx.Done():\n%s", g.ret)
		if g.pick(2) == 1 {
			g.line("default:")
			g.block()
		}
		g.line("}")
	case 35:
		g.line("switch {\ncase %s:", g.cond())
		g.block()
		g.line("fallthrough\ncase %s:", g.cond())
		g.block()
		g.line("default:")
		g.block()
		g.line("}")
	case 36:
		g.line("switch x := a.(type) {\ncase *sql.Tx:\nerr = x.Commit()\ncase func() error:\nerr = x()\ncase Closer:\nerr = x.Close()\ncase Doer:\nerr = x.Do(ctx, s)\n}")
	case 37:
		g.line("a = %s", g.tx())
	case 38:
		g.line("a = %s", g.fn())
	case 39:
		g.line("d = %s", []string{"value{}", "s", "o", "Func(f)", "globs[n]", "&value{}"}[g.pick(6)])
	case 40:
		g.line("err = d.Do(ctx, %s)", g.store())
	case 41:
		g.line("err = end(%s, %s)", g.tx(), g.gn())
	case 42:
		g.line("err = (&repo).With(%s)", g.gn())
	case 43:
		g.line("{\nc := *s\nc.tx = %s\ns = &c\ncp.in = s.in\n}", g.tx())
	case 44:
		g.line("repo = Repo[*sql.Tx]{x: %s, next: &repo}", g.tx())
	case 45:
		g.line("ctx = context.WithValue(ctx, \"tx\", %s)", g.tx())
	case 46:
		g.line("s.mu.Lock()\ndefer s.mu.Unlock()")
	case 47:
		g.line("{\nvar once sync.Once\nonce.Do(func() { _ = %s() })\n}", g.fn())
	case 48:
		g.number++
		g.line("G%d:\n n--", g.number)
		number := g.number
		g.block()
		g.line("if n > 7 { goto G%d }", number)
	case 49:
		g.line("%s = %s", []string{"tx", "s.tx", "glob.in.tx", "s.next.tx", "t2"}[g.pick(5)], g.tx())
	case 50:
		g.line("{\nvar rec func(n int) error\nrec = func(n int) error { if n == 0 { return %s() }; return rec(n - 1) }\nerr = rec(n)\n}", g.fn())
	case 51:
		g.line("if %s { %s }", g.cond(), g.ret)
	case 52:
		g.line("{\nvar c context.CancelFunc\nctx, c = context.WithCancel(ctx)\ndefer c()\ncancel = c\n}\ntime.Sleep(1)\n<-time.After(1)\nglobs = append(globs, d)")
	}
}
