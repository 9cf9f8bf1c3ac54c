package flow

import (
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// runtimeName is a function's name as runtime.Func has it: app.(*Server).Serve,
// app.Run[...], app.Serve.func1.
func runtimeName(fn *ssa.Function) string {
	if parent := fn.Parent(); parent != nil {
		// ssa counts a function's closures from 1, as the compiler does: F$1, F$1$2.
		number := fn.Name()[strings.LastIndexByte(fn.Name(), '$')+1:]
		if parent.Parent() != nil {
			return runtimeName(parent) + "." + number
		}
		return runtimeName(parent) + ".func" + number
	}
	if obj, ok := object(fn); ok {
		return objectName(obj)
	}
	if fn.Pkg != nil {
		return escape(fn.Pkg.Pkg.Path()) + "." + fn.Name()
	}
	return fn.Name()
}

func objectName(f *types.Func) string {
	if f.Pkg() == nil {
		return f.Name()
	}
	name := f.Name()
	sig := f.Signature()
	if sig.TypeParams().Len() > 0 {
		name += "[...]"
	}
	if recv := sig.Recv(); recv != nil {
		t, pointer := recv.Type(), false
		if p, ok := types.Unalias(t).(*types.Pointer); ok {
			t, pointer = p.Elem(), true
		}
		receiver := "?"
		if n, ok := types.Unalias(t).(*types.Named); ok {
			receiver = n.Obj().Name()
			if n.TypeParams().Len() > 0 || n.TypeArgs().Len() > 0 {
				receiver += "[...]"
			}
		}
		if pointer {
			receiver = "(*" + receiver + ")"
		}
		name = receiver + "." + name
	}
	return escape(f.Pkg().Path()) + "." + name
}

// escape writes the dots of a path's last element as the linker does.
func escape(path string) string {
	slash := strings.LastIndexByte(path, '/') + 1
	return path[:slash] + strings.ReplaceAll(path[slash:], ".", "%2e")
}

// object is the declared function that fn is, or is an instance or a wrapper of.
func object(fn *ssa.Function) (*types.Func, bool) {
	if o := fn.Origin(); o != nil {
		fn = o
	}
	obj, ok := fn.Object().(*types.Func)
	if ok {
		obj = obj.Origin()
	}
	return obj, ok
}

// shortName is how people write a function: http.Get, Client.Do.
func shortName(f *types.Func) string {
	if recv := f.Signature().Recv(); recv != nil {
		t := recv.Type()
		if p, ok := types.Unalias(t).(*types.Pointer); ok {
			t = p.Elem()
		}
		if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil {
			return n.Obj().Pkg().Name() + "." + n.Obj().Name() + "." + f.Name()
		}
		return f.Name()
	}
	if f.Pkg() == nil {
		return f.Name()
	}
	return f.Pkg().Name() + "." + f.Name()
}

// isWait reports whether a function is called Wait, or ends so.
func isWait(f *types.Func) bool { return strings.HasSuffix(f.Name(), "Wait") }

// callName is how people write what a call calls.
func callName(c *ssa.CallCommon) string {
	switch {
	case c.IsInvoke():
		return shortName(c.Method)
	case c.StaticCallee() != nil:
		fn := c.StaticCallee()
		if obj, ok := object(fn); ok {
			return shortName(obj)
		}
		return "a function literal"
	}
	switch v := c.Value.(type) {
	case *ssa.Builtin:
		return v.Name()
	case *ssa.Call: // WithTransaction(f)(ctx)
		return callName(&v.Call)
	}
	return valueName(c.Value)
}

// valueName is the name of a variable that holds a function.
func valueName(v ssa.Value) string {
	switch v := v.(type) {
	case *ssa.UnOp:
		return valueName(v.X)
	case *ssa.FieldAddr:
		return fieldOf(v.X.Type(), v.Field).Name()
	case *ssa.Field:
		return fieldOf(v.X.Type(), v.Field).Name()
	case *ssa.Parameter, *ssa.FreeVar, *ssa.Global:
		return v.Name()
	case *ssa.Alloc:
		if v.Comment != "" {
			return v.Comment
		}
	}
	return "a function value"
}

func fieldOf(t types.Type, i int) *types.Var {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return types.NewField(token.NoPos, nil, "field"+strconv.Itoa(i), types.Typ[types.Invalid], false)
	}
	return s.Field(i).Origin()
}

func methodName(c *ssa.CallCommon) string {
	if c.IsInvoke() {
		return c.Method.Name()
	}
	if fn := c.StaticCallee(); fn != nil && fn.Signature.Recv() != nil {
		return fn.Name()
	}
	return ""
}

func receiverOf(c *ssa.CallCommon) ssa.Value {
	if c.IsInvoke() {
		return c.Value
	}
	return c.Args[0]
}
