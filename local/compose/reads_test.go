package compose

import (
	"go/ast"
	"go/constant"
	"go/types"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

const module = "github.com/pinflow/pinflow"

// code is the production module, as far as a program uses it.
type code struct {
	t        *testing.T
	packages []*packages.Package // those of the module
}

// readCode loads a program of the module with the packages of the module that it imports.
func readCode(t *testing.T, program string) code {
	t.Helper()
	closure, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps, Dir: root, Context: t.Context()}, program)
	require.NoError(t, err)
	var paths []string
	packages.Visit(closure, nil, func(p *packages.Package) {
		if strings.HasPrefix(p.PkgPath, module) {
			paths = append(paths, p.PkgPath)
		}
	})
	require.NotEmpty(t, paths)
	mode := packages.NeedName | packages.NeedImports | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedExportFile
	loaded, err := packages.Load(&packages.Config{Mode: mode, Dir: root, Context: t.Context()}, paths...)
	require.NoError(t, err)
	for _, p := range loaded {
		require.Empty(t, p.Errors, p.PkgPath)
	}
	return code{t, loaded}
}

// settings are the names of the variables that the program reads: those of the fields of
// config.Config that it uses, of its own structs with env tags, and of the SDKs that it imports.
func (c code) settings(documented map[string]bool) []string {
	c.t.Helper()
	names := map[string]bool{}
	for _, p := range c.packages {
		switch strings.TrimPrefix(p.PkgPath, module+"/internal/clients/") {
		case "databricks":
			addPrefixed(names, documented, "DATABRICKS_")
		case "temporal":
			addPrefixed(names, documented, "TEMPORAL_")
		case "s3":
			addPrefixed(names, documented, "AWS_")
		case "kafka": // MSK's IAM
			addPrefixed(names, documented, "AWS_REGION", "AWS_ACCESS", "AWS_SECRET", "AWS_SESSION")
		}
		if p.PkgPath == module+"/internal/config" {
			continue // it reads and checks all of them
		}
		for _, file := range p.Syntax {
			c.read(names, p.TypesInfo, file, map[types.Object]bool{})
		}
	}
	all := []string{}
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// read adds the variables of the fields that a piece of code uses, also within methods of the
// configuration that it calls.
func (c code) read(names map[string]bool, info *types.Info, piece ast.Node, seen map[types.Object]bool) {
	ast.Inspect(piece, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if n.Tag == nil {
				break
			}
			tag := reflect.StructTag(strings.Trim(n.Tag.Value, "`"))
			if name, _, _ := strings.Cut(tag.Get("env"), ","); name != "" && name != "-" {
				names[name] = true
			}
		case *ast.SelectorExpr:
			selected := info.Selections[n]
			if selected == nil || !isConfig(selected.Recv()) {
				break
			}
			object := selected.Obj()
			switch {
			case selected.Kind() == types.FieldVal:
				addField(names, selected.Recv(), object.Name())
			case !seen[object]:
				seen[object] = true
				c.readMethod(names, object, seen)
			}
		}
		return true
	})
}

// readMethod reads the body of a method of package config.
func (c code) readMethod(names map[string]bool, method types.Object, seen map[types.Object]bool) {
	for _, p := range c.packages {
		if p.PkgPath != module+"/internal/config" {
			continue
		}
		for _, file := range p.Syntax {
			for _, declared := range file.Decls {
				if f, ok := declared.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == method.Name() && f.Body != nil {
					c.read(names, p.TypesInfo, f.Body, seen)
				}
			}
		}
	}
}

// isConfig reports whether a type is config.Config or config.Kafka.
func isConfig(t types.Type) bool {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := t.(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == module+"/internal/config" && (named.Obj().Name() == "Config" || named.Obj().Name() == "Kafka")
}

// addField adds the variable of a field; a field that is a struct of settings counts when its own
// fields are read.
func addField(names map[string]bool, t types.Type, name string) {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	prefix := ""
	if t.(*types.Named).Obj().Name() == "Kafka" {
		prefix = "PINFLOW_KAFKA_"
	}
	fields := t.Underlying().(*types.Struct)
	for i := range fields.NumFields() {
		if fields.Field(i).Name() != name {
			continue
		}
		if variable, _, _ := strings.Cut(reflect.StructTag(fields.Tag(i)).Get("env"), ","); variable != "" && variable != "-" {
			names[prefix+variable] = true
		}
	}
}

func addPrefixed(names, documented map[string]bool, prefixes ...string) {
	for name := range documented {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			names[name] = true
		}
	}
}

// value returns the value of a constant of the program itself.
func (c code) value(name string) int64 {
	c.t.Helper()
	for _, p := range c.packages {
		if found, ok := p.Types.Scope().Lookup(name).(*types.Const); ok && p.Name == "main" {
			value, exact := constant.Int64Val(found.Val())
			require.True(c.t, exact)
			return value
		}
	}
	c.t.Fatalf("there is no constant %s", name)
	return 0
}

// workspaceReads are the variables that `local workspace` reads.
var workspaceReads = regexp.MustCompile(`os\.Getenv\("(\w+)"\)`)
