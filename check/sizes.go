package check

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Sizes checks the keys and the size of ConfigMaps and Secrets.
func Sizes() Rule {
	return Rule{
		Codes: []string{CodeInvalid},
		Name:  "configmaps",
		Doc:   "A ConfigMap or Secret has a key, or a size, that the API server refuses.",
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				v := &validator{resource: r}
				switch o := r.Typed().(type) {
				case *corev1.ConfigMap:
					v.contents("data", o.Data, "binaryData", o.BinaryData)
				case *corev1.Secret:
					v.contents("stringData", o.StringData, "data", o.Data)
				}
				found = append(found, v.found...)
			}
			return found
		},
	}
}

// contents checks what both kinds have: texts and bytes by key.
func (v *validator) contents(textField string, texts map[string]string, byteField string, bytes map[string][]byte) {
	size := 0
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		size += len(texts[key])
		v.key(textField, key)
		if _, twice := bytes[key]; twice && textField == "data" {
			v.refuse(byteField+"["+key+"]", fmt.Sprintf("key %q is in data and binaryData", key), "keep one of the two")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(bytes)) {
		size += len(bytes[key])
		v.key(byteField, key)
	}
	if size > corev1.MaxSecretSize { // the same for both kinds
		v.refuse(textField, fmt.Sprintf("it holds %d bytes; at most %d are possible", size, corev1.MaxSecretSize), "split it, or keep large files in a volume")
	}
}

func (v *validator) key(field, key string) {
	if faults := validation.IsConfigMapKey(key); len(faults) > 0 {
		v.refuse(field+"["+key+"]", fmt.Sprintf("key %q: %s", key, brief(faults[0])), "use letters, digits, dashes, dots and underscores")
	}
}
