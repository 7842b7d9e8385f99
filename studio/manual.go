package studio

import (
	"cmp"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// manualPage is what the page at /api shows.
type manualPage struct {
	Description, Prefix string
	Groups              []manualGroup
}

type manualGroup struct {
	Name       string
	Operations []manualOperation
}

type manualOperation struct{ Method, Path, Summary string }

func manualOf(spec *huma.OpenAPI) manualPage {
	page := manualPage{Description: spec.Info.Description, Prefix: Prefix}
	groups := map[string][]manualOperation{}
	for path, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op != nil {
				groups[op.Tags[0]] = append(groups[op.Tags[0]], manualOperation{op.Method, path, op.Summary})
			}
		}
	}
	for name, list := range groups {
		slices.SortFunc(list, func(a, b manualOperation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		page.Groups = append(page.Groups, manualGroup{name, list})
	}
	slices.SortFunc(page.Groups, func(a, b manualGroup) int { return cmp.Compare(b.Name, a.Name) })
	return page
}
