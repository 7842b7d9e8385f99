package instance

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextName names cluster, user and context in kubeconfigs.
const contextName = "meshstorm-lab"

func (l *Lab) apiPort() int {
	u, err := url.Parse(l.plane.URL)
	if err != nil {
		return 0
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

// KubeconfigPath is where a lab keeps its kubeconfig.
func KubeconfigPath(dir string) string { return filepath.Join(dir, "kubeconfig") }

func (l *Lab) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	if err := l.fill(config); err != nil {
		return err
	}
	return writeConfig(KubeconfigPath(l.o.Dir), config)
}

func (l *Lab) fill(c *clientcmdapi.Config) error {
	ca, err := l.plane.Keys.CA()
	if err != nil {
		return err
	}
	c.Clusters[contextName] = &clientcmdapi.Cluster{Server: l.plane.URL, CertificateAuthorityData: ca}
	c.AuthInfos[contextName] = &clientcmdapi.AuthInfo{Token: l.plane.Keys.Token}
	c.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName, Namespace: "default"}
	c.CurrentContext = contextName
	return nil
}

// writeConfig replaces the file as a whole, with mode 0600.
func writeConfig(path string, c *clientcmdapi.Config) error {
	data, err := clientcmd.Write(*c)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path) // CreateTemp made it 0600
}

// Merge puts the lab's cluster, user and context into a kubeconfig and makes it
// the current context; everything else in it stays. The file is made where it
// is missing, and left alone where it cannot be read.
func Merge(dir, into string) error {
	mine, err := clientcmd.LoadFromFile(KubeconfigPath(dir))
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	if _, err := os.Stat(into); err == nil {
		if config, err = clientcmd.LoadFromFile(into); err != nil {
			return err
		}
	} else if err := os.MkdirAll(filepath.Dir(into), 0o700); err != nil {
		return err
	}
	config.Clusters[contextName] = mine.Clusters[contextName]
	config.AuthInfos[contextName] = mine.AuthInfos[contextName]
	config.Contexts[contextName] = mine.Contexts[contextName]
	config.CurrentContext = contextName
	return writeConfig(into, config)
}
