package kubelet_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/meshstorm/meshstorm/lab/pod"
)

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: data}
}

func volume(p *corev1.Pod, name, path string, s corev1.VolumeSource) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: s})
	c := &p.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
}

func (l *lab) path(uid, name string) string {
	return filepath.Join(l.dir, "pods", uid, "volumes", filepath.FromSlash(name))
}

func read(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestVolumes(t *testing.T) {
	l := newLab(t, configMap("cm", map[string]string{"a": "1", "b": "2"}),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "s"}, Data: map[string][]byte{"key": []byte("hush")}},
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data-p"}})
	l.start()
	l.create(newPod(args("cat /etc/cm/a", "cat /etc/s/key", "wait"), func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "x", "tier": "y"}
		volume(p, "cm", "/etc/cm", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}})
		volume(p, "s", "/etc/s", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}})
		volume(p, "tmp", "/tmp", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
		volume(p, "data", "/data", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-p"}})
		volume(p, "api", "/var/run/secrets/kubernetes.io/serviceaccount", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: "istio-ca"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}, Items: []corev1.KeyToPath{{Key: "a", Path: "deep/ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}},
		}}})
	}))
	p := l.wait("ready", "p", ready)
	for file, want := range map[string]string{
		"cm/a": "1", "cm/b": "2", "s/key": "hush", "api/token": "token-1", "api/deep/ca.crt": "1", "api/labels": "app=\"x\"\ntier=\"y\"",
	} {
		if got := read(l.path("uid-p", file)); got != want {
			t.Errorf("%s holds %q, want %q", file, got, want)
		}
	}
	if i, err := os.Stat(l.path("uid-p", "s/key")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("a secret's mode is %v (%v)", i.Mode(), err)
	}
	if i, err := os.Stat(filepath.Join(l.dir, "volumes", "default", "data-p")); err != nil || i.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the claim's folder: %v", err)
	}
	l.mu.Lock()
	if r := l.tokens[0]; !slices.Equal(r.Audiences, []string{"istio-ca"}) || r.BoundObjectRef == nil || string(r.BoundObjectRef.UID) != "uid-p" {
		t.Errorf("token request %+v", r)
	}
	l.mu.Unlock()
	eventually(t, "the container reads its files", func() bool {
		log := l.log(p, "c", 0)
		return strings.Contains(log, "1 <nil>") && strings.Contains(log, "hush <nil>")
	}, func() string { return l.log(p, "c", 0) })
}

func TestAVolumeFollowsItsConfigMap(t *testing.T) {
	l := newLab(t, configMap("cm", map[string]string{"a": "1", "gone": "x"}))
	l.start()
	l.create(newPod(func(p *corev1.Pod) {
		volume(p, "cm", "/etc/cm", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}})
	}))
	l.wait("ready", "p", ready)
	if _, err := l.client.CoreV1().ConfigMaps("default").Update(t.Context(), configMap("cm", map[string]string{"a": "2"}), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "new content", func() bool { return read(l.path("uid-p", "cm/a")) == "2" }, func() string { return read(l.path("uid-p", "cm/a")) })
	eventually(t, "removed key", func() bool { _, err := os.Lstat(l.path("uid-p", "cm/gone")); return os.IsNotExist(err) }, func() string { return "" })
}

func TestMissingSources(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(func(p *corev1.Pod) {
		volume(p, "cm", "/etc/cm", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "later"}}})
	}))
	l.create(newPod(args("env GREETING", "wait"), func(p *corev1.Pod) {
		p.Name, p.UID = "env", "uid-env"
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "GREETING", ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "later"}, Key: "greeting"}}}}
	}))
	l.create(newPod(func(p *corev1.Pod) {
		p.Name, p.UID = "nfs", "uid-nfs"
		volume(p, "v", "/v", corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "x", Path: "/"}})
	}))
	l.event(`Warning FailedMount MountVolume.SetUp failed for volume "cm" : configmap "later" not found`)
	l.event(`Warning FailedMount MountVolume.SetUp failed for volume "v" : the lab has emptyDir`)
	l.wait("ContainerCreating", "p", func(p *corev1.Pod) bool { return reason(p) == "ContainerCreating" })
	l.wait("CreateContainerConfigError", "env", func(p *corev1.Pod) bool { return reason(p) == "CreateContainerConfigError" })
	if _, err := l.client.CoreV1().ConfigMaps("default").Create(context.Background(), configMap("later", map[string]string{"greeting": "hello"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.wait("ready", "p", ready)
	p := l.wait("ready", "env", ready)
	eventually(t, "GREETING", func() bool { return strings.Contains(l.log(p, "c", 0), "GREETING=hello") }, func() string { return l.log(p, "c", 0) })
}

func TestTheEnvironment(t *testing.T) {
	service := func(ns, name, ip string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
			Spec: corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}}
	}
	l := newLab(t, service("default", "kubernetes", "10.96.0.1"), service("default", "my-api", "10.96.0.9"), service("other", "far", "10.96.0.10"))
	l.start()
	t.Setenv("SECRET_OF_THE_LAB", "x")
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	vars := []string{"WHO", "URL", "IP", "CPU", "MY_API_SERVICE_HOST", "KUBERNETES_PORT_80_TCP_ADDR", "FAR_SERVICE_HOST", "SECRET_OF_THE_LAB", "HOSTNAME"}
	var list []string
	for _, v := range vars {
		list = append(list, "env "+v)
	}
	l.create(newPod(args(append(list, "wait")...), func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "x"}
		p.Spec.Containers[0].Env = []corev1.EnvVar{
			{Name: "WHO", ValueFrom: field("metadata.labels['app']")},
			{Name: "URL", Value: "http://$(MY_API_SERVICE_HOST)/$(WHO)/$$(WHO)/$(NOBODY)"},
			{Name: "IP", ValueFrom: field("status.hostIP")},
			{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "requests.cpu"}}},
		}
	}))
	p := l.wait("ready", "p", ready)
	for _, want := range []string{"WHO=x\n", "URL=http://10.96.0.9/x/$(WHO)/$(NOBODY)\n", "IP=10.244.0.1\n", "CPU=0\n",
		"MY_API_SERVICE_HOST=10.96.0.9\n", "KUBERNETES_PORT_80_TCP_ADDR=10.96.0.1\n", "FAR_SERVICE_HOST=\n", "SECRET_OF_THE_LAB=\n", "HOSTNAME=p\n"} {
		eventually(t, want, func() bool { return strings.Contains(l.log(p, "c", 0), want) }, func() string { return l.log(p, "c", 0) })
	}
}

func TestWhatAProcessIsToldOfItsSidecar(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{
			{Name: "istio-init", Image: "istio/proxyv2:1.31.0", Args: []string{"istio-iptables", "-m", "REDIRECT", "-i", "*", "-x", "10.1.0.0/16", "-b", "*", "-d", "15090,15021,9000", "-o", "9092"}},
			{Name: "istio-proxy", Image: "istio/proxyv2:1.31.0", RestartPolicy: &always, Args: []string{"proxy", "sidecar", "wait"}},
		}
		p.Spec.Containers[0].Image = "test:2"
	}))
	p := l.wait("ready", "p", ready)
	spec := func(container string) *pod.Spec {
		s := &pod.Spec{}
		if err := json.Unmarshal([]byte(read(filepath.Join(l.dir, "pods", "uid-p", "containers", container, "pod.json"))), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	app, proxy := spec("c"), spec("istio-proxy")
	if app.IP.String() != p.Status.PodIP || app.Listen != l.net.TwinOf(app.IP) || app.Outbound != l.net.Bind(app.IP).String()+":15001" || app.Tag != "2" {
		t.Errorf("the application is told %+v", app)
	}
	if proxy.Listen != l.net.TwinOf(app.IP) || proxy.Outbound != "127.0.0.1:1" || proxy.Intercepted == nil {
		t.Errorf("the proxy is told %+v", proxy)
	}
	in := app.Intercepted
	if in == nil || !slices.Equal(in.ExcludeInbound, []int{15090, 15021, 9000}) || !slices.Equal(in.ExcludeOutbound, []int{9092}) || len(in.ExcludeCIDRs) != 1 || in.IncludeCIDRs != nil {
		t.Errorf("interception %+v", in)
	}
}

func TestATokenIsRenewed(t *testing.T) {
	l := newLab(t)
	var later time.Duration
	l.start(func(o *kubeletOptions) {
		o.Now = func() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return time.Now().Add(later) }
	})
	l.create(newPod(func(p *corev1.Pod) {
		volume(p, "api", "/token", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}})
	}))
	p := l.wait("ready", "p", ready).DeepCopy()
	l.mu.Lock()
	later = 50 * time.Minute
	l.mu.Unlock()
	p.Annotations = map[string]string{"look": "again"} // instead of waiting for the timer
	if _, err := l.client.CoreV1().Pods("default").Update(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new token", func() bool { return read(l.path("uid-p", "api/token")) == "token-2" }, func() string { return read(l.path("uid-p", "api/token")) })
}

func TestAProgramGetsAKubeconfigOfItsAccount(t *testing.T) {
	l := newLab(t)
	l.start()
	l.create(newPod(args("env KUBECONFIG", "wait"), func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = "test:kubeconfig"
		volume(p, "api", "/var/run/secrets/kubernetes.io/serviceaccount", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}})
	}))
	p := l.wait("ready", "p", ready)
	file := filepath.Join(l.dir, "pods", "uid-p", "containers", "c", "kubeconfig")
	eventually(t, "KUBECONFIG", func() bool { return strings.Contains(l.log(p, "c", 0), "KUBECONFIG="+file) }, func() string { return l.log(p, "c", 0) })
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil || config.Host != "https://127.0.0.1:3" || read(config.BearerTokenFile) != "token-1" {
		t.Errorf("%+v, %v", config, err)
	}
}
