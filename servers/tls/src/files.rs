//! Certificates, a key and the client's authorities, from files of PEM (RFC 7468): read and checked.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

/// The protocols to agree on (RFC 7301 §6).
const ALPN: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Where a server has its certificate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    requires_client: bool,
}

/// Why files cannot be used, in a sentence for who runs the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file does not hold what it is for.
    #[error("{} {what}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it: the end of a sentence.
        what: String,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatched {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

/// What tells whether a file is another one than before: device, inode, time of the last change, length.
pub(crate) type Stamp = (u64, u64, i64, i64, u64);

impl CertificateFiles {
    /// A certificate with those that lead to its authority behind it, and its key. Both may stand in one file.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> CertificateFiles {
        CertificateFiles { certificate: certificate.into(), key: key.into(), client_ca: None, requires_client: false }
    }

    /// Asks clients for a certificate of one of the authorities in this file. A client without one is served, unless it
    /// `is_required`; one with a certificate of somebody else is not.
    pub fn client_ca(mut self, authorities: impl Into<PathBuf>, is_required: bool) -> CertificateFiles {
        self.client_ca = Some(authorities.into());
        self.requires_client = is_required;
        self
    }

    /// Reads the files and makes a configuration of them: TLS 1.2 and 1.3 with ring, ALPN for HTTP/1.1, tickets for
    /// clients that come again.
    ///
    /// # Errors
    /// When a file cannot be read, does not hold what it should, or they do not go together.
    pub fn load(&self) -> Result<ServerConfig, Unusable> {
        let chain = certificates(&self.certificate)?;
        let key = key(&self.key)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| malformed(&self.certificate, error.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(self.verifier(path, provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Unusable::Mismatched { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            rustls::Error::InvalidCertificate(error) => {
                malformed(&self.certificate, format!("holds a certificate that is no good: {error:?}"))
            }
            error => malformed(&self.key, format!("holds a key that cannot be used: {error}")),
        })?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
        config.ticketer = ring::Ticketer::new().map_err(|error| malformed(&self.key, error.to_string()))?;
        Ok(config)
    }

    fn verifier(
        &self,
        path: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Unusable> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots
                .add(certificate)
                .map_err(|error| malformed(path, format!("holds a certificate that is no authority: {error}")))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.requires_client { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| malformed(path, error.to_string()))
    }

    /// What tells whether one of the files has changed; none where one is not there.
    pub(crate) fn stamps(&self) -> Option<Vec<Stamp>> {
        let paths = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        let stamp = |path| {
            // Through links: certificates are often changed by changing where one leads.
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
        };
        paths.into_iter().flatten().map(stamp).collect()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let text = read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(path, format!("is not PEM throughout: {error}")))?;
    if certificates.is_empty() {
        let what = "holds no certificate; one begins with the line -----BEGIN CERTIFICATE-----";
        return Err(malformed(path, what.to_owned()));
    }
    Ok(certificates)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    let text = read(path)?;
    let is_encrypted = |text: &[u8]| text.windows(9).any(|window| window == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let what = match error {
            // Also `Proc-Type: 4,ENCRYPTED` of older keys.
            _ if is_encrypted(&text) => {
                "holds a key that is encrypted; write it out in clear, as with `openssl pkey`, and guard the file"
                    .to_owned()
            }
            pem::Error::NoItemsFound => {
                "holds no key; one begins with the line -----BEGIN PRIVATE KEY----- or the like".to_owned()
            }
            error => format!("is not PEM throughout: {error}"),
        };
        malformed(path, what)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(path).map_err(|error| Unusable::Unreadable { path: path.to_owned(), error })
}

fn malformed(path: &Path, what: String) -> Unusable {
    Unusable::Malformed { path: path.to_owned(), what }
}
