package check

// clusterScoped tells whether objects of the kind live outside namespaces.
// Kinds that nobody here knows count as namespaced, as most are.
func clusterScoped(group, kind string) bool {
	switch group {
	case "":
		return kind == "Namespace" || kind == "Node" || kind == "PersistentVolume"
	case "rbac.authorization.k8s.io":
		return kind == "ClusterRole" || kind == "ClusterRoleBinding"
	case "networking.k8s.io":
		return kind == "IngressClass" || kind == "IPAddress" || kind == "ServiceCIDR"
	case "storage.k8s.io":
		return kind != "CSIStorageCapacity"
	case "resource.k8s.io":
		return kind == "ResourceSlice" || kind == "DeviceClass" || kind == "DeviceTaintRule"
	case "gateway.networking.k8s.io":
		return kind == "GatewayClass"
	case "certificates.k8s.io":
		return kind != "PodCertificateRequest"
	case "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
		"flowcontrol.apiserver.k8s.io", "node.k8s.io", "scheduling.k8s.io", "internal.apiserver.k8s.io",
		"storagemigration.k8s.io":
		return true
	}
	return false
}
