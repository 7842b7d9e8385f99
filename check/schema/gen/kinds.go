package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// kinds is what the Go sources of Kubernetes' types say and reflection cannot
// see. Types are named as in "k8s.io/api/core/v1.Protocol".
type kinds struct {
	// Enums are the values of the closed string types, in the order of the
	// sources, which begin with the usual one.
	Enums map[string][]string `json:"enums"`
	// Optional are the fields of a type that may be left out, although Go
	// always writes them; Required must be there, although Go leaves them out
	// when they are empty.
	Optional map[string][]string `json:"optional"`
	Required map[string][]string `json:"required"`
}

// closed are string types whose constants are all their values, although no
// "+enum" marker says so: Kubernetes' validation refuses every other value.
var closed = map[string]bool{
	"k8s.io/api/admissionregistration/v1.ParameterNotFoundActionType": true,
	"k8s.io/api/apps/v1.PersistentVolumeClaimRetentionPolicyType":     true,
	"k8s.io/api/autoscaling/v2.HPAScalingPolicyType":                  true,
	"k8s.io/api/autoscaling/v2.MetricSourceType":                      true,
	"k8s.io/api/autoscaling/v2.MetricTargetType":                      true,
	"k8s.io/api/autoscaling/v2.ScalingPolicySelect":                   true,
	"k8s.io/api/core/v1.ContainerRestartPolicy":                       true,
	"k8s.io/api/core/v1.ContainerRestartRuleAction":                   true,
	"k8s.io/api/core/v1.ContainerRestartRuleOnExitCodesOperator":      true,
	"k8s.io/api/core/v1.OSName":                                       true,
	"k8s.io/api/core/v1.PodSELinuxChangePolicy":                       true,
	"k8s.io/api/core/v1.RecursiveReadOnlyMode":                        true,
	"k8s.io/api/core/v1.ResourceResizeRestartPolicy":                  true,
	"k8s.io/api/storage/v1.FSGroupPolicy":                             true,
	"k8s.io/api/storage/v1.VolumeLifecycleMode":                       true,
	"k8s.io/apimachinery/pkg/apis/meta/v1.LabelSelectorOperator":      true,
}

// readKinds reads the types of the modules that the program's kinds come from.
func readKinds() ([]byte, error) {
	k := kinds{map[string][]string{}, map[string][]string{}, map[string][]string{}}
	for module, below := range map[string]string{"k8s.io/api": "", "k8s.io/apimachinery": "pkg/apis/meta/v1"} {
		root, err := moduleDir(module)
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(filepath.Join(root, filepath.FromSlash(below)), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Base(path) != "types.go" {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			inside, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			k.addTypes(module+"/"+filepath.ToSlash(inside), file)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for name, values := range k.Enums {
		if slices.Contains(values, unreadable) {
			delete(k.Enums, name)
		}
	}
	return json.Marshal(k)
}

func (k *kinds) addTypes(pkg string, file *ast.File) {
	enums := map[string]bool{}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, spec := range decl.Specs {
			t := spec.(*ast.TypeSpec)
			switch shape := t.Type.(type) {
			case *ast.Ident:
				enums[t.Name.Name] = shape.Name == "string" && (closed[pkg+"."+t.Name.Name] || marked(decl.Doc, "enum"))
			case *ast.StructType:
				k.addFields(pkg+"."+t.Name.Name, shape)
			}
		}
	}
	for _, d := range file.Decls {
		if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.CONST {
			k.addConstants(pkg, decl, enums)
		}
	}
}

// unreadable stands for a value that is a constant of another package.
const unreadable = "\x00"

// addConstants finds both of the forms that the sources have:
// A Protocol = "TCP", and A = Protocol("TCP").
func (k *kinds) addConstants(pkg string, decl *ast.GenDecl, enums map[string]bool) {
	for _, spec := range decl.Specs {
		v := spec.(*ast.ValueSpec)
		for _, value := range v.Values {
			of := v.Type
			if call, ok := value.(*ast.CallExpr); ok && len(call.Args) == 1 {
				of, value = call.Fun, call.Args[0]
			}
			name, ok := of.(*ast.Ident)
			if !ok || !enums[name.Name] {
				continue
			}
			s := unreadable
			if text, ok := value.(*ast.BasicLit); ok {
				if read, err := strconv.Unquote(text.Value); err == nil {
					s = read
				}
			}
			if key := pkg + "." + name.Name; s != "" && !slices.Contains(k.Enums[key], s) {
				k.Enums[key] = append(k.Enums[key], s)
			}
		}
	}
}

// addFields keeps where the markers and the JSON tags disagree. API servers go
// by the markers first (kube-openapi's generators, isOptional).
func (k *kinds) addFields(of string, shape *ast.StructType) {
	for _, f := range shape.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		switch {
		case marked(f.Doc, "optional") && !omitted:
			k.Optional[of] = append(k.Optional[of], name)
		case marked(f.Doc, "required") && omitted:
			k.Required[of] = append(k.Required[of], name)
		}
	}
}

func marked(doc *ast.CommentGroup, marker string) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		text := strings.TrimSpace(strings.TrimPrefix(c.Text, "//"))
		return text == "+"+marker
	})
}
