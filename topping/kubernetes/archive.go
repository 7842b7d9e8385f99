package kubernetes

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// partSize keeps a part, in base64 and with its metadata, below 180 kB: a
// client-side apply stores a copy of it in an annotation, and all annotations
// together may have 256 KiB.
const partSize = 128 << 10

// The keys and annotations of the model's ConfigMaps.
const (
	SettingsKey  = "meshstorm.yaml"      // data of the first part: the workspace's settings as written
	ArchiveKey   = "model.json.gz"       // binaryData: this part's bytes of the gzip stream
	PartKey      = "meshstorm.io/part"   // "2/3": part two of three
	ChecksumKey  = "meshstorm.io/sha256" // of the whole gzip stream, equal in all parts
	ArchivesName = "%s-model-%d"         // workspace and 1-based part
)

// archive packs the model, so that what runs or reads it in a cluster needs no
// file.
func archive(m *deploy.Model) ([]*corev1.ConfigMap, error) {
	if len(m.Archive) == 0 || len(m.Services) == 0 {
		return nil, nil
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is a valid constant
	if _, err := w.Write(m.Archive); err != nil {
		return nil, fmt.Errorf("compress the model: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress the model: %w", err)
	}
	data := packed.Bytes()
	sum := sha256.Sum256(data)
	count := (len(data) + partSize - 1) / partSize
	parts := make([]*corev1.ConfigMap, 0, count)
	for i := range count {
		meta := topping.Meta(m, fmt.Sprintf(ArchivesName, m.Workspace, i+1), deploy.Source{})
		meta.Labels[topping.ModelLabel] = m.Workspace
		meta.Annotations = map[string]string{
			PartKey:     strconv.Itoa(i+1) + "/" + strconv.Itoa(count),
			ChecksumKey: hex.EncodeToString(sum[:]),
		}
		parts = append(parts, &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: meta,
			BinaryData: map[string][]byte{ArchiveKey: data[i*partSize : min((i+1)*partSize, len(data))]},
		})
	}
	if len(m.ArchiveSettings) > 0 {
		parts[0].Data = map[string]string{SettingsKey: string(m.ArchiveSettings)}
	}
	return parts, nil
}

// ReadArchive puts the model together again from the ConfigMaps among the
// objects, in their order. It fails where a part is missing or altered.
func ReadArchive(objects []manifest.Object) ([]byte, error) {
	var packed []byte
	sum := ""
	for _, o := range objects {
		part, ok := o.Value.(*corev1.ConfigMap)
		if !ok || part.Labels[topping.ModelLabel] == "" {
			continue
		}
		packed = append(packed, part.BinaryData[ArchiveKey]...)
		sum = part.Annotations[ChecksumKey]
	}
	if got := sha256.Sum256(packed); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("the model's parts do not add up to the checksum %.12s…: a part is missing or altered", sum)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read the model's parts: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err != nil {
		return nil, fmt.Errorf("read the model's parts: %w", err)
	}
	if len(data) > maxArchive {
		return nil, fmt.Errorf("the model unpacks to more than %d MiB", maxArchive>>20)
	}
	return data, nil
}

// maxArchive bounds what a few kilobytes may unpack to.
const maxArchive = 256 << 20
