package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// CodeImage is the code of images that nobody can pull as written.
const CodeImage = "MS0104"

// Images parses image references as the kubelet does, and finds the leftovers
// of templates in those that parse.
func Images() Rule {
	return Rule{
		Codes: []string{CodeImage},
		Name:  "image-reference",
		Doc:   "An image cannot be pulled as it is written.",
		Rows: []Row{
			{Code: CodeImage, Severity: "error",
				Means: "the image cannot be pulled: pods stay in InvalidImageName or ErrImagePull",
				Todo:  "write `REGISTRY/NAME:TAG`"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				for _, path := range podSpecs(r) {
					for _, list := range []string{"initContainers", "containers"} {
						found = append(found, imageFindings(r, path+"."+list)...)
					}
				}
			}
			return found
		},
	}
}

func imageFindings(r *Resource, path string) []Finding {
	var found []Finding
	containers, _ := r.at(path).([]any)
	for i, item := range containers {
		container, _ := item.(map[string]any)
		if container == nil {
			continue
		}
		image, ok := container["image"].(string)
		if !ok && container["image"] != nil {
			continue // decoding says so
		}
		name, _ := container["name"].(string)
		if fault := imageFault(image, name); fault != "" {
			f := r.Finding(CodeImage, Error, fmt.Sprintf("%s[%d].image", path, i),
				fmt.Sprintf("image %q cannot be pulled: %s; pods stay in InvalidImageName or ErrImagePull", image, fault))
			f.Fix = "write REGISTRY/NAME:TAG in lower case, such as ghcr.io/shop/order:1.0"
			if r.Annotation("meshstorm.io/source") != "" {
				f.Fix += "; the settings' image pattern makes it for generated objects"
			}
			found = append(found, f)
		}
	}
	return found
}

func imageFault(image, container string) string {
	if image == "" {
		return "it is empty"
	}
	if image == "auto" && container == "istio-proxy" {
		return "" // the injector fills it in
	}
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return strings.TrimPrefix(err.Error(), "invalid reference format: ")
	}
	parts := strings.Split(reference.Path(ref), "/")
	if tagged, ok := ref.(reference.Tagged); ok {
		parts = append(parts, tagged.Tag())
	}
	for _, leftover := range []string{"undefined", "null", "nan"} {
		if slices.Contains(parts, leftover) {
			return fmt.Sprintf("%q is what a template left where a value was missing", leftover)
		}
	}
	return ""
}
