package cluster

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Inventory lists what a workspace has in a namespace. It is a ConfigMap
// "meshstorm-inventory-WORKSPACE" in that namespace.
type Inventory struct {
	Workspace string
	Namespace string
	Revision  int     // of the last apply that ended well; 0 before the first
	Entries   []Entry // sorted by ID

	resourceVersion string // "" while the ConfigMap does not exist
}

// Entry is an object of the inventory.
type Entry struct {
	ID
	// APIVersion is the version that it was applied in.
	APIVersion string `json:"apiVersion,omitempty"`
	// Kept says who besides the files wants this object, such as "canary of
	// order": it is never pruned, but delete and undo remove it. Of a Deployment
	// that the files hold too it says who holds its pod template now: apply leaves
	// the live template (image, environment) as it is. "" for all others.
	Kept string `json:"kept,omitempty"`
	// Orphan is a ReplicaSet that a replaced Deployment left behind, so that its
	// pods serve until the new ones are ready.
	Orphan bool `json:"orphan,omitempty"`
	// Applied is a digest of what was sent, and Owned one of what the live object
	// then held of it: only an object with both unchanged is skipped.
	Applied string `json:"applied,omitempty"`
	Owned   string `json:"owned,omitempty"`
}

// Labels and keys of the inventory's ConfigMap.
const (
	InventoryLabel = "meshstorm.io/inventory" // value: the workspace's name
	inventoryKey   = "inventory.json"
	inventoryZip   = "inventory.json.gz"
	largeInventory = 256 << 10 // bytes; above it is compressed
	maxInventory   = 64 << 20
)

// inventoryText is the JSON of a ConfigMap.
type inventoryText struct {
	Revision int     `json:"revision"`
	Objects  []Entry `json:"objects"`
}

func inventoryName(workspace string) string { return "meshstorm-inventory-" + workspace }

// ReadInventory reads it; without one it is empty.
func (c *Client) ReadInventory(ctx context.Context, namespace, workspace string) (*Inventory, error) {
	var held *corev1.ConfigMap
	err := retry(ctx, func() (err error) {
		held, err = c.Kube.CoreV1().ConfigMaps(namespace).Get(ctx, inventoryName(workspace), metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return &Inventory{Workspace: workspace, Namespace: namespace}, nil
	}
	if err != nil {
		return nil, Explain(err)
	}
	return parseInventory(held, workspace)
}

func parseInventory(held *corev1.ConfigMap, workspace string) (*Inventory, error) {
	text := []byte(held.Data[inventoryKey])
	if packed := held.BinaryData[inventoryZip]; len(packed) > 0 {
		var err error
		if text, err = unzip(packed, maxInventory); err != nil {
			return nil, fmt.Errorf("ConfigMap %s/%s: %w", held.Namespace, held.Name, err)
		}
	}
	var t inventoryText
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s is no inventory of meshstorm: %w; restore it, or delete it and apply again (what left the files is then not pruned)",
			held.Namespace, held.Name, err)
	}
	return &Inventory{Workspace: workspace, Namespace: held.Namespace, Revision: t.Revision, Entries: t.Objects, resourceVersion: held.ResourceVersion}, nil
}

// Find gives the entry of an object, nil if it has none.
func (i *Inventory) Find(id ID) *Entry {
	at, ok := slices.BinarySearchFunc(i.Entries, id, func(e Entry, id ID) int { return compareIDs(e.ID, id) })
	if !ok {
		return nil
	}
	return &i.Entries[at]
}

// Put adds an entry or replaces the one of the same object.
func (i *Inventory) Put(e Entry) {
	at, ok := slices.BinarySearchFunc(i.Entries, e.ID, func(e Entry, id ID) int { return compareIDs(e.ID, id) })
	if ok {
		i.Entries[at] = e
		return
	}
	i.Entries = slices.Insert(i.Entries, at, e)
}

// Remove takes the entry of an object out.
func (i *Inventory) Remove(id ID) {
	i.Entries = slices.DeleteFunc(i.Entries, func(e Entry) bool { return e.ID == id })
}

func compareIDs(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// saveInventory writes it, if nobody else did since it was read: then the error
// is apierrors.IsConflict or IsAlreadyExists. An empty one is written too: its
// revision counts on.
func (c *Client) saveInventory(ctx context.Context, i *Inventory) error {
	if i.Entries == nil {
		i.Entries = []Entry{}
	}
	text, err := json.Marshal(inventoryText{Revision: i.Revision, Objects: i.Entries})
	if err != nil {
		return err
	}
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: inventoryName(i.Workspace), Namespace: i.Namespace, ResourceVersion: i.resourceVersion,
		Labels: map[string]string{InventoryLabel: i.Workspace},
	}}
	if len(text) > largeInventory {
		held.BinaryData = map[string][]byte{inventoryZip: zip(text)}
	} else {
		held.Data = map[string]string{inventoryKey: string(text)}
	}
	configMaps := c.Kube.CoreV1().ConfigMaps(i.Namespace)
	var saved *corev1.ConfigMap
	err = retry(ctx, func() (err error) {
		if i.resourceVersion == "" {
			saved, err = configMaps.Create(ctx, held, metav1.CreateOptions{FieldManager: Manager})
		} else {
			saved, err = configMaps.Update(ctx, held, metav1.UpdateOptions{FieldManager: Manager})
		}
		return err
	})
	if err != nil {
		return Explain(err)
	}
	i.resourceVersion = saved.ResourceVersion
	return nil
}

// changeInventory reads, changes and writes until nobody was in between.
func (c *Client) changeInventory(ctx context.Context, namespace, workspace string, change func(*Inventory)) error {
	for {
		i, err := c.ReadInventory(ctx, namespace, workspace)
		if err != nil {
			return err
		}
		change(i)
		err = c.saveInventory(ctx, i)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) || ctx.Err() != nil {
			return err
		}
	}
}

// Keep puts an object into the inventory that no file holds, or says of a
// Deployment of the files that its pod template is held (Entry.Kept); Release
// ends that. Both read, change and write under the resourceVersion, and try
// again when somebody else was faster.
func (c *Client) Keep(ctx context.Context, namespace, workspace string, id ID, why string) error {
	return c.changeInventory(ctx, namespace, workspace, func(i *Inventory) {
		e := Entry{ID: id}
		if old := i.Find(id); old != nil {
			e = *old
		}
		e.Kept = why
		i.Put(e)
	})
}

// Release ends what Keep began: an object that no file holds leaves the
// inventory.
func (c *Client) Release(ctx context.Context, namespace, workspace string, id ID) error {
	return c.changeInventory(ctx, namespace, workspace, func(i *Inventory) {
		switch e := i.Find(id); {
		case e == nil:
		case e.Applied == "":
			i.Remove(id)
		default:
			e.Kept = ""
		}
	})
}

// WorkspaceOf finds the workspace whose inventory in a namespace holds an
// object; "" if none does.
func (c *Client) WorkspaceOf(ctx context.Context, namespace string, id ID) (string, error) {
	all, err := c.inventories(ctx, namespace)
	if err != nil {
		return "", err
	}
	for _, i := range all {
		if i.Find(id) != nil {
			return i.Workspace, nil
		}
	}
	return "", nil
}

// inventories reads those of all workspaces in a namespace.
func (c *Client) inventories(ctx context.Context, namespace string) ([]*Inventory, error) {
	var list *corev1.ConfigMapList
	err := retry(ctx, func() (err error) {
		list, err = c.Kube.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: InventoryLabel})
		return err
	})
	if err != nil {
		return nil, Explain(err)
	}
	var all []*Inventory
	for n := range list.Items {
		i, err := parseInventory(&list.Items[n], list.Items[n].Labels[InventoryLabel])
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func zip(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // without a time, so that the same text gives the same bytes
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

var errTooLong = errors.New("what is packed is too large")

func unzip(packed []byte, limit int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errTooLong
	}
	return text, err
}
