package kubelet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// volumes are a pod's volumes as folders of the host.
type volumes struct {
	w      *worker
	dir    string            // pods/UID/volumes
	host   map[string]string // volume name -> folder or file of the host
	tokens map[string]*token
}

// token is a service account's token for one projected source.
type token struct {
	value string
	renew time.Time // at 80 % of its life, as the kubelet does
}

// mountError is one volume that can't be set up; the text is FailedMount's.
type mountError struct {
	volume string
	err    error
}

func (e *mountError) Error() string {
	return fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", e.volume, e.err)
}

func (e *mountError) Unwrap() error { return e.err }

// sync sets every volume up, or brings it up to date. All faults are given.
func (v *volumes) sync(ctx context.Context, p *corev1.Pod) error {
	var all []error
	for i := range p.Spec.Volumes {
		vol := &p.Spec.Volumes[i]
		host, err := v.one(ctx, p, vol)
		if err != nil {
			all = append(all, &mountError{volume: vol.Name, err: err})
			continue
		}
		v.host[vol.Name] = host
	}
	return errors.Join(all...)
}

// next is when a token must be renewed; zero where there is none.
func (v *volumes) next() time.Time {
	var first time.Time
	for _, t := range v.tokens {
		if first.IsZero() || t.renew.Before(first) {
			first = t.renew
		}
	}
	return first
}

func (v *volumes) one(ctx context.Context, p *corev1.Pod, vol *corev1.Volume) (string, error) {
	dir := filepath.Join(v.dir, vol.Name)
	switch {
	case vol.EmptyDir != nil:
		return dir, os.MkdirAll(dir, 0o700)
	case vol.HostPath != nil:
		dir = filepath.Join(v.w.k.o.Dir, "hostpath", filepath.Clean("/"+vol.HostPath.Path))
		return dir, os.MkdirAll(dir, 0o700)
	case vol.PersistentVolumeClaim != nil:
		return v.claim(ctx, p.Namespace, vol.PersistentVolumeClaim.ClaimName)
	case vol.Ephemeral != nil:
		return dir, os.MkdirAll(dir, 0o700)
	}
	files, err := v.files(ctx, p, vol)
	if err != nil {
		return "", err
	}
	_, err = files.write(dir)
	return dir, err
}

// claim is a folder that outlives the pod. No controller of the lab makes
// PersistentVolumes, so the claim alone is asked for.
func (v *volumes) claim(ctx context.Context, namespace, name string) (string, error) {
	_, err := v.w.k.o.Client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("persistentvolumeclaim %q not found", name)
	} else if err != nil {
		return "", err
	}
	dir := v.w.k.claimDir(namespace, name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (k *Kubelet) claimDir(namespace, name string) string {
	return filepath.Join(k.o.Dir, "volumes", namespace, name)
}

func (v *volumes) files(ctx context.Context, p *corev1.Pod, vol *corev1.Volume) (payload, error) {
	out := payload{}
	switch {
	case vol.ConfigMap != nil:
		s := vol.ConfigMap
		return out, v.fromConfigMap(ctx, p, out, s.Name, s.Items, s.Optional)
	case vol.Secret != nil:
		s := vol.Secret
		return out, v.fromSecret(ctx, p, out, s.SecretName, s.Items, s.Optional)
	case vol.DownwardAPI != nil:
		return out, v.fromDownward(p, out, vol.DownwardAPI.Items)
	case vol.Projected != nil:
		for i := range vol.Projected.Sources {
			if err := v.project(ctx, p, out, vol.Name, &vol.Projected.Sources[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, errors.New("the lab has emptyDir, configMap, secret, projected, downwardAPI, hostPath and persistentVolumeClaim volumes only")
}

func (v *volumes) project(ctx context.Context, p *corev1.Pod, out payload, volume string, s *corev1.VolumeProjection) error {
	switch {
	case s.ConfigMap != nil:
		return v.fromConfigMap(ctx, p, out, s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional)
	case s.Secret != nil:
		return v.fromSecret(ctx, p, out, s.Secret.Name, s.Secret.Items, s.Secret.Optional)
	case s.DownwardAPI != nil:
		return v.fromDownward(p, out, s.DownwardAPI.Items)
	case s.ServiceAccountToken != nil:
		value, err := v.token(ctx, p, volume+"/"+s.ServiceAccountToken.Path, s.ServiceAccountToken)
		if err != nil {
			return err
		}
		out[s.ServiceAccountToken.Path] = file{[]byte(value), secretFile}
		return nil
	}
	return errors.New("the lab projects ConfigMaps, Secrets, downwardAPI and serviceAccountToken only")
}

func (v *volumes) fromConfigMap(ctx context.Context, p *corev1.Pod, out payload, name string, items []corev1.KeyToPath, optional *bool) error {
	cm, err := v.w.k.configMap(ctx, p.Namespace, name, optional)
	if err != nil || cm == nil {
		return err
	}
	data := maps.Clone(cm.BinaryData)
	if data == nil {
		data = map[string][]byte{}
	}
	for key, value := range cm.Data {
		data[key] = []byte(value)
	}
	return out.add(data, items, publicFile, optional)
}

func (v *volumes) fromSecret(ctx context.Context, p *corev1.Pod, out payload, name string, items []corev1.KeyToPath, optional *bool) error {
	s, err := v.w.k.secret(ctx, p.Namespace, name, optional)
	if err != nil || s == nil {
		return err
	}
	return out.add(s.Data, items, secretFile, optional)
}

// add takes all keys, or those that items name. Modes of the API are left: a
// lab has one user, and its folders are closed to others.
func (p payload) add(data map[string][]byte, items []corev1.KeyToPath, mode os.FileMode, optional *bool) error {
	if len(items) == 0 {
		for key, value := range data {
			p[key] = file{value, mode}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			if optional != nil && *optional {
				continue
			}
			return fmt.Errorf("references non-existent config key: %s", item.Key)
		}
		p[item.Path] = file{value, mode}
	}
	return nil
}

func (v *volumes) fromDownward(p *corev1.Pod, out payload, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = v.w.field(p, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			c := containerSpec(p, item.ResourceFieldRef.ContainerName)
			if c == nil {
				return fmt.Errorf("container %s not found", item.ResourceFieldRef.ContainerName)
			}
			value, err = v.w.k.resourceField(p, c, item.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		out[item.Path] = file{[]byte(value), publicFile}
	}
	return nil
}

// token asks the API server for a token bound to the pod, and for a new one when
// four fifths of its life are over. A failed renewal keeps the old token.
func (v *volumes) token(ctx context.Context, p *corev1.Pod, key string, s *corev1.ServiceAccountTokenProjection) (string, error) {
	now := v.w.k.o.Now()
	have := v.tokens[key]
	if have != nil && now.Before(have.renew) {
		return have.value, nil
	}
	value, expires, err := v.w.k.requestToken(ctx, p, s.Audience, s.ExpirationSeconds)
	if err != nil {
		if have != nil {
			have.renew = now.Add(10 * time.Second)
			v.w.log.Warn("service account token not renewed", "err", err)
			return have.value, nil
		}
		return "", fmt.Errorf("failed to fetch token: %w", err)
	}
	v.tokens[key] = &token{value: value, renew: now.Add(expires.Sub(now) * 8 / 10)}
	return value, nil
}

func (k *Kubelet) requestToken(ctx context.Context, p *corev1.Pod, audience string, seconds *int64) (string, time.Time, error) {
	account := p.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	req := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
		ExpirationSeconds: seconds,
		BoundObjectRef:    &authv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID},
	}}
	if audience != "" {
		req.Spec.Audiences = []string{audience}
	}
	got, err := k.o.Client.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, account, req, metav1.CreateOptions{})
	if err != nil {
		return "", time.Time{}, err
	}
	expires := got.Status.ExpirationTimestamp.Time
	if expires.IsZero() {
		expires = k.o.Now().Add(time.Hour)
	}
	return got.Status.Token, expires, nil
}

// hostPath is where a mount of a container lies: subPath and subPathExpr
// included.
func (v *volumes) hostPath(m *corev1.VolumeMount, env map[string]string) (string, error) {
	dir, ok := v.host[m.Name]
	if !ok {
		return "", fmt.Errorf("volume %q is not mounted", m.Name)
	}
	sub := m.SubPath
	if m.SubPathExpr != "" {
		sub = expandAll([]string{m.SubPathExpr}, env)[0]
	}
	if sub == "" {
		return dir, nil
	}
	if !filepath.IsLocal(sub) {
		return "", fmt.Errorf("subPath %q leaves the volume", sub)
	}
	path := filepath.Join(dir, filepath.FromSlash(sub))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && !strings.Contains(path, dataLink) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return "", err
		}
	}
	return path, nil
}
