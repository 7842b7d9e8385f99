package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// HistoryType is the type of the Secrets that keep applied states.
const HistoryType corev1.SecretType = "meshstorm.io/history.v1"

// KeptRevisions is how many applied states are kept.
const KeptRevisions = 10

// Labels and annotations of a revision's Secrets.
const (
	workspaceLabel = "meshstorm.io/workspace"
	revisionLabel  = "meshstorm.io/revision"
	partLabel      = "meshstorm.io/part"
	partsKey       = "meshstorm.io/parts"
	objectsKey     = "meshstorm.io/objects"
	appliedKey     = "meshstorm.io/applied-at"
	byKey          = "meshstorm.io/applied-by"
	noteKey        = "meshstorm.io/note"
	digestKey      = "meshstorm.io/digest"
	stateKey       = "state.gz"

	// A Secret holds 1 MiB (kubernetes.io/docs/concepts/configuration/secret).
	partSize = 900 << 10
	maxState = 256 << 20
)

// Revision is one applied state.
type Revision struct {
	Number  int       `json:"revision"`
	Applied time.Time `json:"applied"`
	By      string    `json:"by"`
	Objects int       `json:"objects"`
	Note    string    `json:"note,omitempty"`
	Current bool      `json:"current"`

	digest string
	parts  int
	names  []string // of the Secrets
}

// ErrNoRevision says that there is no such state.
var ErrNoRevision = errors.New("no such revision")

// History lists the kept revisions of a workspace, the newest first.
func (c *Client) History(ctx context.Context, workspace string) ([]Revision, error) {
	var list *metav1.PartialObjectMetadataList
	err := retry(ctx, func() (err error) {
		list, err = c.secretsMetadata(ctx, workspace)
		return err
	})
	if err != nil {
		return nil, Explain(err)
	}
	byNumber := map[int]*Revision{}
	for i := range list.Items {
		m := &list.Items[i]
		n, err := strconv.Atoi(m.Labels[revisionLabel])
		if err != nil {
			continue
		}
		rev := byNumber[n]
		if rev == nil {
			rev = &Revision{Number: n, By: m.Annotations[byKey], Note: m.Annotations[noteKey], digest: m.Annotations[digestKey]}
			rev.Applied, _ = time.Parse(time.RFC3339, m.Annotations[appliedKey])
			rev.Objects, _ = strconv.Atoi(m.Annotations[objectsKey])
			rev.parts, _ = strconv.Atoi(m.Annotations[partsKey])
			byNumber[n] = rev
		}
		rev.names = append(rev.names, m.Name)
	}
	inventory, err := c.ReadInventory(ctx, c.Namespace, workspace)
	if err != nil {
		return nil, err
	}
	all := make([]Revision, 0, len(byNumber))
	for _, rev := range byNumber {
		rev.Current = rev.Number == inventory.Revision
		slices.Sort(rev.names)
		all = append(all, *rev)
	}
	slices.SortFunc(all, func(a, b Revision) int { return cmp.Compare(b.Number, a.Number) })
	return all, nil
}

// secretsMetadata lists a workspace's revisions without reading their contents.
func (c *Client) secretsMetadata(ctx context.Context, workspace string) (*metav1.PartialObjectMetadataList, error) {
	list := &metav1.PartialObjectMetadataList{}
	err := c.Kube.CoreV1().RESTClient().Get().Namespace(c.Namespace).Resource("secrets").
		Param("labelSelector", workspaceLabel+"="+workspace+","+revisionLabel).
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").
		Do(ctx).Into(list)
	return list, err
}

// state is what a revision keeps.
type state struct {
	Objects []map[string]any `json:"objects"`
	// Secrets whose values are not kept.
	Secrets []ID `json:"secrets,omitempty"`
}

// Record keeps what a request holds as a revision, as applying it does, where the
// cluster is like that already by another way than apply: a promoted canary. It
// gives 0 where the cluster differs, and the present revision where that is the
// same. The caller holds the workspace's lease (ApplyLease).
func (c *Client) Record(ctx context.Context, q Request, note string) (int, error) {
	p, err := c.Plan(ctx, q)
	if err != nil || p.Differs() {
		return 0, err
	}
	revision, err := c.remember(ctx, p, ApplyOptions{Note: note})
	if err != nil || revision == p.inventory.Revision {
		return revision, err
	}
	return revision, c.changeInventory(ctx, p.Namespace, p.Workspace, func(i *Inventory) { i.Revision = revision })
}

// remember keeps what was applied as the next revision, unless it is what the
// newest one says already.
func (c *Client) remember(ctx context.Context, p *Plan, o ApplyOptions) (int, error) {
	var s state
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.object == nil {
			continue
		}
		desired := ch.object.DeepCopy()
		if ch.Object.Namespace != "" {
			desired.SetNamespace(ch.Object.Namespace)
		}
		if ch.Object.Kind == "Secret" && ch.Object.Group == "" && !o.SecretsInHistory {
			s.Secrets = append(s.Secrets, ch.Object)
			continue
		}
		s.Objects = append(s.Objects, desired.Object)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	history, err := c.History(ctx, p.Workspace)
	if err != nil {
		return 0, err
	}
	sum, number := digest(map[string]any{"state": string(text)}), 1
	if len(history) > 0 {
		newest := history[0]
		if newest.digest == sum && newest.Current {
			return newest.Number, nil
		}
		number = max(newest.Number, p.inventory.Revision) + 1
	}
	if err := c.saveRevision(ctx, p.Workspace, number, zip(text), map[string]string{
		appliedKey: time.Now().UTC().Format(time.RFC3339), byKey: identity(), noteKey: o.Note, digestKey: sum,
		objectsKey: strconv.Itoa(len(s.Objects) + len(s.Secrets)),
	}); err != nil {
		return 0, err
	}
	for _, old := range history[min(len(history), KeptRevisions-1):] {
		if err := c.deleteSecrets(ctx, old.names); err != nil {
			return 0, err
		}
	}
	return number, nil
}

func (c *Client) saveRevision(ctx context.Context, workspace string, number int, packed []byte, annotations map[string]string) error {
	parts := slices.Collect(slices.Chunk(packed, partSize))
	annotations[partsKey] = strconv.Itoa(len(parts))
	immutable := true
	for i, part := range parts {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name:        fmt.Sprintf("meshstorm-history-%s-%d-%d", workspace, number, i+1),
				Labels:      map[string]string{workspaceLabel: workspace, revisionLabel: strconv.Itoa(number), partLabel: strconv.Itoa(i + 1)},
				Annotations: annotations,
			},
			Type: HistoryType, Immutable: &immutable, Data: map[string][]byte{stateKey: part},
		}
		err := retry(ctx, func() error {
			_, err := c.Kube.CoreV1().Secrets(c.Namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: Manager})
			return err
		})
		if apierrors.IsAlreadyExists(err) { // a run that died after this part
			if err := c.deleteSecrets(ctx, []string{secret.Name}); err != nil {
				return err
			}
			_, err = c.Kube.CoreV1().Secrets(c.Namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: Manager})
		}
		if err != nil {
			return Explain(err)
		}
	}
	return nil
}

func (c *Client) deleteSecrets(ctx context.Context, names []string) error {
	for _, name := range names {
		err := retry(ctx, func() error { return c.Kube.CoreV1().Secrets(c.Namespace).Delete(ctx, name, metav1.DeleteOptions{}) })
		if err != nil && !apierrors.IsNotFound(err) {
			return Explain(err)
		}
	}
	return nil
}

// Restore gives the objects of a revision, for a Plan: 0 is the one before the
// current. Secrets whose values were not kept are given as they are live, so
// that they stay; their IDs come besides. Errors wrap ErrNoRevision.
func (c *Client) Restore(ctx context.Context, workspace string, number int) (objects []Object, rev Revision, leftAlone []ID, err error) {
	history, err := c.History(ctx, workspace)
	if err != nil {
		return nil, rev, nil, err
	}
	if rev, err = pick(history, number); err != nil {
		return nil, rev, nil, err
	}
	var packed []byte
	for part := 1; part <= rev.parts; part++ {
		name := fmt.Sprintf("meshstorm-history-%s-%d-%d", workspace, rev.Number, part)
		secret, err := c.Kube.CoreV1().Secrets(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, rev, nil, fmt.Errorf("%w: Secret %s/%s, a part of revision %d, is missing", ErrNoRevision, c.Namespace, name, rev.Number)
		}
		if err != nil {
			return nil, rev, nil, Explain(err)
		}
		packed = append(packed, secret.Data[stateKey]...)
	}
	text, err := unzip(packed, maxState)
	if err != nil {
		return nil, rev, nil, fmt.Errorf("revision %d: %w", rev.Number, err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, rev, nil, fmt.Errorf("revision %d: %w", rev.Number, err)
	}
	for _, content := range s.Objects {
		o := &unstructured.Unstructured{}
		data, _ := json.Marshal(content) // it was JSON a line ago
		if err := o.UnmarshalJSON(data); err != nil {
			return nil, rev, nil, fmt.Errorf("revision %d: %w", rev.Number, err)
		}
		objects = append(objects, Object{Unstructured: o})
	}
	return objects, rev, s.Secrets, nil
}

// pick finds a revision: by number, or with 0 the newest before the current.
func pick(history []Revision, number int) (Revision, error) {
	var known []string
	for _, rev := range slices.Backward(history) {
		known = append(known, strconv.Itoa(rev.Number))
	}
	for i, rev := range history {
		if number != 0 && rev.Number == number {
			return rev, nil
		}
		if number == 0 && rev.Current && i+1 < len(history) {
			return history[i+1], nil
		}
	}
	switch {
	case len(history) == 0:
		return Revision{}, fmt.Errorf("%w: nothing was applied here with meshstorm", ErrNoRevision)
	case number == 0:
		return Revision{}, fmt.Errorf("%w before the current one; kept are %v", ErrNoRevision, known)
	}
	return Revision{}, fmt.Errorf("%w %d; kept are %v", ErrNoRevision, number, known)
}

// forgetWorkspace removes the inventory, the history and the leases.
func (c *Client) forgetWorkspace(ctx context.Context, workspace string) error {
	history, err := c.History(ctx, workspace)
	if err != nil {
		return err
	}
	for _, rev := range history {
		if err := c.deleteSecrets(ctx, rev.names); err != nil {
			return err
		}
	}
	err = c.Kube.CoreV1().ConfigMaps(c.Namespace).Delete(ctx, inventoryName(workspace), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return Explain(err)
	}
	return nil
}
