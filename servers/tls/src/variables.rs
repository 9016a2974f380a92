//! What is known of a connection and its client, in the variables that Apache's mod_ssl has for it.

use rustls::{CipherSuite, CommonState, ProtocolVersion};
use wgi::Vars;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::pem::{self, LineEnding};

/// Adds the variables of a connection whose client asked for that name.
pub(crate) fn describe(tls: &CommonState, name: Option<&str>, variables: &mut Vars) {
    if let Some(protocol) = tls.protocol_version().and_then(protocol) {
        variables.push("SSL_PROTOCOL", protocol);
    }
    if let Some(cipher) = tls.negotiated_cipher_suite().and_then(|suite| cipher(suite.suite())) {
        variables.push("SSL_CIPHER", cipher);
    }
    if let Some(name) = name {
        variables.push("SSL_TLS_SNI", name);
    }
    match tls.peer_certificates().and_then(|chain| chain.first()) {
        // The handshake would have failed with one that does not verify.
        Some(certificate) => {
            variables.push("SSL_CLIENT_VERIFY", "SUCCESS");
            describe_client(certificate, variables);
        }
        None => variables.push("SSL_CLIENT_VERIFY", "NONE"),
    }
}

fn describe_client(certificate: &[u8], variables: &mut Vars) {
    if let Ok(parsed) = Certificate::from_der(certificate) {
        let certificate = parsed.tbs_certificate();
        let serial: String = certificate.serial_number().as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        push(variables, "SSL_CLIENT_S_DN", certificate.subject().to_string());
        push(variables, "SSL_CLIENT_I_DN", certificate.issuer().to_string());
        push(variables, "SSL_CLIENT_M_SERIAL", serial);
    }
    if let Ok(text) = pem::encode_string("CERTIFICATE", LineEnding::LF, certificate) {
        push(variables, "SSL_CLIENT_CERT", text);
    }
}

/// A name of X.509 may hold what a variable may not ([4.22]).
fn push(variables: &mut Vars, name: &str, value: String) {
    if !value.contains('\0') {
        variables.push(name, value);
    }
}

fn protocol(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// The name that OpenSSL, and so mod_ssl, has for a cipher suite that rustls speaks.
fn cipher(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_suite_has_its_name() {
        for suite in rustls::crypto::ring::ALL_CIPHER_SUITES {
            assert!(cipher(suite.suite()).is_some(), "{suite:?}");
        }
        for version in rustls::ALL_VERSIONS {
            assert!(protocol(version.version).is_some(), "{version:?}");
        }
    }
}
