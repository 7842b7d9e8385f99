package server

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

const tlsPackage = "envoy.extensions.transport_sockets.tls.v3."

// within makes entries count for a message that one field holds: clusters hold
// the same messages, and package upstream lists them.
func within(field string, lists ...[]fields.Field) []fields.Field {
	all := slices.Concat(lists...)
	for i := range all {
		all[i].Within = field
	}
	return all
}

func tlsFields() []fields.Field {
	const (
		down   = tlsPackage + "DownstreamTlsContext"
		common = tlsPackage + "CommonTlsContext"
		alpn   = "TestTLS/HTTP/2 by ALPN, the chain by SNI"
		mutual = "TestTLS/MUTUAL with a good certificate"
	)
	return slices.Concat(
		fields.Evaluated(down, alpn, "common_tls_context"),
		fields.Evaluated(down, "TestTLS/MUTUAL without a certificate", "require_client_certificate"),
		fields.Evaluated(down, "TestTLSParameters/a server name is required", "require_sni"),
		fields.Evaluated(down, "TestTLSParameters/no session tickets", "disable_stateless_session_resumption"),
		fields.Evaluated(down, "TestTLSParameters/a staple that must be there", "ocsp_staple_policy"),
		noted(down, "session_ticket_keys", "session_ticket_keys_sds_secret_config", "disable_stateful_session_resumption", "session_timeout", "prefer_client_ciphers"),
		lacking(down, "full_scan_certs_on_sni_mismatch"),
		within(down+".common_tls_context",
			fields.Evaluated(common, "TestTLSParameters/an old version", "tls_params"),
			fields.Evaluated(common, "TestTLSParameters/certificates from files and in the listener", "tls_certificates"),
			fields.Evaluated(common, "TestTLS/a secret is rotated", "tls_certificate_sds_secret_configs"),
			fields.Evaluated(common, mutual, "combined_validation_context"),
			fields.Evaluated(common, "TestTLSParameters/client certificates by a context in the listener", "validation_context"),
			fields.Evaluated(common, "TestTLSParameters/client certificates by a secret", "validation_context_sds_secret_config"),
			fields.Evaluated(common, alpn, "alpn_protocols"),
			noted(common, "key_log"),
			lacking(common, "tls_certificate_provider_instance", "custom_tls_certificate_selector", "tls_certificate_certificate_provider",
				"tls_certificate_certificate_provider_instance", "validation_context_certificate_provider",
				"validation_context_certificate_provider_instance", "custom_handshaker"),
		),
	)
}

func validationFields() []fields.Field {
	const (
		context  = tlsPackage + "CertificateValidationContext"
		combined = tlsPackage + "CommonTlsContext.CombinedCertificateValidationContext"
		san      = tlsPackage + "SubjectAltNameMatcher"
		listed   = "TestTLSParameters/client certificates by a context in the listener"
		names    = "TestTLS/MUTUAL with another name"
	)
	return slices.Concat(
		fields.Evaluated(context, listed, "trusted_ca", "system_root_certs"),
		fields.Evaluated(context, "TestClientCertificates/a hash", "verify_certificate_hash"),
		fields.Evaluated(context, "TestClientCertificates/a key's hash", "verify_certificate_spki"),
		fields.Evaluated(context, "TestClientCertificates/a revoked certificate", "crl"),
		fields.Evaluated(context, "TestClientCertificates/an expired certificate", "allow_expired_certificate"),
		fields.Evaluated(context, "TestClientCertificates/any authority", "trust_chain_verification"),
		fields.Evaluated(context, names, "match_typed_subject_alt_names", "match_subject_alt_names"),
		noted(context, "watched_directory", "suppress_client_ca_list"),
		lacking(context, "ca_certificate_provider_instance", "require_signed_certificate_timestamp", "custom_validator_config",
			"only_verify_leaf_cert_crl", "max_verify_depth"),
		fields.Evaluated(combined, "TestTLS/MUTUAL with a good certificate", "default_validation_context", "validation_context_sds_secret_config"),
		lacking(combined, "validation_context_certificate_provider", "validation_context_certificate_provider_instance"),
		fields.Evaluated(san, names, "san_type", "matcher"),
		lacking(san, "oid"),
	)
}

func secretFields() []fields.Field {
	const (
		secret = tlsPackage + "Secret"
		cert   = tlsPackage + "TlsCertificate"
		params = tlsPackage + "TlsParameters"
		sds    = tlsPackage + "SdsSecretConfig"
	)
	return slices.Concat(
		fields.Evaluated(secret, "TestTLS/a secret is rotated", "name", "tls_certificate"),
		fields.Evaluated(secret, "TestTLS/MUTUAL with another authority", "validation_context"),
		lacking(secret, "session_ticket_keys", "generic_secret"),
		fields.Evaluated(cert, "TestTLSParameters/certificates from files and in the listener", "certificate_chain", "private_key", "ocsp_staple"),
		noted(cert, "watched_directory", "signed_certificate_timestamp"),
		lacking(cert, "pkcs12", "private_key_provider", "password"),
		fields.Evaluated(params, "TestTLSParameters/an old version", "tls_minimum_protocol_version", "tls_maximum_protocol_version"),
		fields.Evaluated(params, "TestTLSParameters/cipher suites", "cipher_suites"),
		fields.Evaluated(params, "TestTLSParameters/curves", "ecdh_curves"),
		lacking(params, "signature_algorithms", "compliance_policies"),
		fields.Evaluated(sds, "TestTLS/a secret is rotated", "name"),
		noted(sds, "sds_config"),
	)
}
