//! A server with TLS and clients for it, with certificates that are made on the spot.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;
use wgi::App;
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_http::Http;
use wgi_tls::{CertificateFiles, Watch};

/// How long a test waits for what must come; no test waits for it to be over.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An authority, and the certificates that it gives out.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key_der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for `localhost` and 127.0.0.1, of somebody by that name.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Books, Ltd.");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        }
    }

    /// A client that trusts this authority, with what it shows of itself.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Identity>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { der, key_der, .. }) => {
                builder.with_client_auth_cert(vec![der.clone()], PrivateKeyDer::Pkcs8(key_der.clone().into())).unwrap()
            }
        }
    }
}

/// A folder with the files of a server.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
}

impl Files {
    pub(crate) fn new(identity: &Identity) -> Files {
        let files = Files { folder: tempfile::tempdir().unwrap() };
        files.write(identity);
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a certificate and its key in the place of those that are there.
    pub(crate) fn write(&self, identity: &Identity) {
        replace(&self.path("key.pem"), &identity.key);
        replace(&self.path("certificate.pem"), &identity.certificate);
    }

    pub(crate) fn certificate_files(&self) -> CertificateFiles {
        CertificateFiles::new(self.path("certificate.pem"), self.path("key.pem"))
    }
}

/// Another file at this path, as whoever renews a certificate puts it there.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// An engine that runs for the time of a test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) watch: Watch,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    pub(crate) fn start(options: Options, files: CertificateFiles, app: impl App + 'static) -> Server {
        Server::with(options, files, app, |listener| listener)
    }

    pub(crate) fn with(
        options: Options,
        files: CertificateFiles,
        app: impl App + 'static,
        more: impl FnOnce(Listener) -> Listener,
    ) -> Server {
        let watch = Watch::new(files).unwrap();
        let listener = more(Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap().over(watch.tls()));
        let Address::Tcp { host, port } = listener.address() else { panic!("an address of TCP") };
        let address = SocketAddr::new(host.parse().unwrap(), *port);
        let mut engine = Engine::new(options);
        engine.listen(listener, Http::default(), Arc::new(app));
        let handle = engine.handle();
        Server { address, handle, watch, thread: Some(thread::spawn(move || engine.run())) }
    }

    /// A connection without TLS.
    pub(crate) fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which the handshake is yet to come.
    pub(crate) fn connect(&self, config: &Arc<ClientConfig>) -> Client {
        self.connect_to(config, "localhost")
    }

    pub(crate) fn connect_to(&self, config: &Arc<ClientConfig>, name: &str) -> Client {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Client(StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), self.tcp()))
    }

    pub(crate) fn get(&self, config: &Arc<ClientConfig>, path: &str) -> io::Result<String> {
        self.connect(config).exchange(&get(path))
    }

    pub(crate) fn stop(&mut self) -> io::Result<()> {
        self.handle.stop();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// A client's end of a connection.
pub(crate) struct Client(pub(crate) StreamOwned<ClientConnection, TcpStream>);

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.write_all(bytes.as_ref())?;
        self.0.flush()
    }

    /// All that comes, up to the end; an error where that does not say that it is one.
    pub(crate) fn rest(&mut self) -> io::Result<String> {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Reads until this has come.
    pub(crate) fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} behind {}", read.escape_ascii()));
            read.push(byte[0]);
        }
        read
    }

    pub(crate) fn exchange(&mut self, request: &str) -> io::Result<String> {
        self.send(request)?;
        self.rest()
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

pub(crate) fn options(threads: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options
}
