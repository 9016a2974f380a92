//! Where connections come from: addresses and listening sockets.
//!
//! An [`Address`] is parsed once, at the edge. [`Listener::bind`] makes the socket with everything on it that Linux
//! hands down to the connections accepted from it, so that accepting stays one system call. [`Listener::from_fd`]
//! takes over a socket that somebody else made. The rules for socket files stand together in [`SocketFile`].

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{ProxyProtocol, Transports};

/// An address to listen at: `HOST:PORT`, `[V6]:PORT`, `:PORT` (every interface) or `unix:PATH`.
///
/// ```
/// use wgi_engine::Address;
///
/// let address: Address = "[::1]:8080".parse()?;
/// assert_eq!(address, Address::Tcp { host: "::1".into(), port: 8080 });
/// assert_eq!(address.to_string(), "[::1]:8080");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name or IP address (empty: every interface) and a port (0: a free one).
    Tcp {
        /// The host name or IP address, without brackets; empty for every interface.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// How [`Listener::bind_with`] makes a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BindOptions {
    /// The permission bits of a Unix socket's file. Default: those that the process's umask leaves.
    pub unix_mode: Option<u32>,
    /// How many connections wait to be accepted at the most. Default: 4096, which the system may lower
    /// (`net.core.somaxconn`).
    pub backlog: u16,
}

/// A listening socket. Dropping it closes the socket, and removes the socket file that it made.
pub struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) allowed: Option<Vec<IpAddr>>,
    pub(crate) transports: Option<Arc<dyn Transports>>,
    proxies: Option<ProxyProtocol>,
    address: Address,
    /// The file that goes with the socket; none for one that was inherited, which belongs to who made it.
    _file: Option<SocketFile>,
}

impl Default for BindOptions {
    fn default() -> BindOptions {
        BindOptions { unix_mode: None, backlog: 4096 }
    }
}

impl Listener {
    /// Binds and listens, with the defaults of [`BindOptions`].
    ///
    /// # Errors
    /// As [`bind_with`](Listener::bind_with).
    pub fn bind(address: &Address) -> io::Result<Listener> {
        Listener::bind_with(address, &BindOptions::default())
    }

    /// Binds and listens.
    ///
    /// An empty host stands for every interface of both IP versions, or of IPv4 where the machine has no IPv6. Of
    /// the addresses of a host name the first one that can be bound is taken.
    ///
    /// A Unix socket's file that nobody accepts on any more, as a killed server leaves it behind, is replaced. One
    /// that somebody accepts on is in use. What is no socket is never touched.
    ///
    /// # Errors
    /// What the system says, with the address and, where it helps, the remedy in the message; its kind is kept.
    pub fn bind_with(address: &Address, options: &BindOptions) -> io::Result<Listener> {
        let bound = match address {
            Address::Tcp { host, port } => bind_tcp(host, *port, options),
            Address::Unix(path) => bind_unix(path, options),
        };
        bound.map_err(|error| {
            let message = format!("cannot listen on {address}: {}", reason(&error, address));
            io::Error::new(error.kind(), message)
        })
    }

    /// Takes over a socket that listens already (descriptor 0 of FastCGI, systemd's).
    ///
    /// It becomes non-blocking, and so it does for every process that shares it: the flag belongs to the open file,
    /// not to the descriptor. Servers of FastCGI that start several processes on one socket give each the same one,
    /// and all of these processes are engines. A socket file is left alone at the end.
    ///
    /// # Errors
    /// When it is no listening stream socket: the message says what it is instead.
    pub fn from_fd(socket: OwnedFd) -> io::Result<Listener> {
        let socket = Socket::from(socket);
        let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("the descriptor is {what}"));
        match socket.r#type() {
            Ok(Type::STREAM) => {}
            Ok(_) => return Err(refused("a socket of another type than stream")),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTSOCK.raw_os_error()) => {
                return Err(refused("no socket"));
            }
            Err(error) => return Err(error),
        }
        if !socket.is_listener()? {
            return Err(refused("a socket that does not listen"));
        }
        let local = socket.local_addr()?;
        if local.as_socket().is_some() {
            set_inherited(&socket)?;
        }
        socket.set_cloexec(true)?;
        Listener::new(socket, None, None)
    }

    /// Accepts connections only from these addresses; others are closed at once (`FCGI_WEB_SERVER_ADDRS`, FastCGI
    /// §3.2). An IPv4 peer counts as such also where it reaches a socket of IPv6. Over a Unix socket, where peers have
    /// no address, everybody whom the file's permissions let in is accepted.
    pub fn allow(mut self, peers: Vec<IpAddr>) -> Listener {
        self.allowed = Some(peers);
        self
    }

    /// Takes the addresses of a connection from the header that these proxies begin it with.
    pub fn proxied(mut self, proxies: ProxyProtocol) -> Listener {
        self.proxies = Some(proxies);
        self
    }

    /// Puts a transport around what is said on each connection, as TLS. The scheme of its requests is `https` then.
    ///
    /// A proxy's header comes in front of it.
    pub fn over(mut self, transports: Arc<dyn Transports>) -> Listener {
        self.transports = Some(transports);
        self
    }

    /// Whether a connection of this peer begins with the header of a proxy, and how long that may be.
    pub(crate) fn awaits_header(&self, peer: Option<SocketAddr>) -> Option<usize> {
        let proxies = self.proxies.as_ref()?;
        let is_named = match peer {
            Some(peer) => proxies.from.contains(peer.ip()),
            // A peer without an address over TCP was gone before it could be asked for.
            None => self.local.is_none() && proxies.from.contains_unix(),
        };
        is_named.then_some(proxies.max_header)
    }

    /// Where it listens: with the host as it was asked for and the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The address that it is bound to; none for a Unix socket.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// `host` stands for the local address where one was asked for.
    fn new(socket: Socket, host: Option<&str>, file: Option<SocketFile>) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        let local = bound.as_socket();
        let address = match local {
            Some(local) => Address::Tcp {
                host: host.map_or_else(|| local.ip().to_canonical().to_string(), str::to_owned),
                port: local.port(),
            },
            None => Address::Unix(bound.as_pathname().unwrap_or(Path::new("")).to_owned()),
        };
        Ok(Listener {
            socket: socket.into(),
            local,
            allowed: None,
            proxies: None,
            transports: None,
            address,
            _file: file,
        })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listener { socket, address, proxies, .. } = self;
        let mut debug = f.debug_struct("Listener");
        debug.field("socket", socket).field("address", address).field("proxies", proxies).finish_non_exhaustive()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl FromStr for Address {
    type Err = String;

    /// # Errors
    /// A sentence that quotes the text and says which form was expected.
    fn from_str(text: &str) -> Result<Address, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(format!("`{text}` names no path; write unix:PATH, as in unix:/run/app.sock")),
                path => Ok(Address::Unix(path.into())),
            };
        }
        if text.starts_with('/') || text.starts_with("./") {
            return Err(format!("`{text}` looks like the path of a Unix socket; write unix:{text}"));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!("`{text}` is a URL; leave out `{scheme}://` and any path: HOST:PORT"));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest
                    .split_once("]:")
                    .ok_or_else(|| format!("`{text}` is not of the form [V6]:PORT, as in [::1]:8080"))?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(format!("`{host}` in `{text}` is no IPv6 address"));
                }
                (host, port)
            }
            None => text.rsplit_once(':').ok_or_else(|| no_port(text))?,
        };
        if host.contains(':') && !text.starts_with('[') {
            return Err(format!("`{text}` is ambiguous; write an IPv6 address in brackets, as in [::1]:8080"));
        }
        if let Some(odd) = host.chars().find(|&char| char.is_whitespace() || char.is_control() || char == '/') {
            return Err(format!("the host in `{}` holds {odd:?}", text.escape_debug()));
        }
        // `parse` alone would take `+80`.
        match port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse()) {
            Some(Ok(port)) => Ok(Address::Tcp { host: host.to_owned(), port }),
            _ => Err(format!("`{port}` in `{text}` is no port; a port is a number from 0 to 65535")),
        }
    }
}

fn no_port(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("`{text}` is a port alone; write 127.0.0.1:{text}, or :{text} for every interface");
    }
    format!("`{text}` has no port; write HOST:PORT, [V6]:PORT, :PORT or unix:PATH")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn bind_tcp(host: &str, port: u16, options: &BindOptions) -> io::Result<Listener> {
    let candidates: Vec<SocketAddr> = if host.is_empty() {
        vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
    } else {
        let named = (host, port).to_socket_addrs();
        named.map_err(|error| io::Error::new(error.kind(), format!("`{host}` cannot be resolved: {error}")))?.collect()
    };
    let mut failed = None;
    for candidate in candidates {
        match listen_tcp(candidate, host.is_empty(), options) {
            Ok(socket) => return Listener::new(socket, Some(host), None),
            // A taken port is no reason to take half of what was asked for.
            Err(error) if host.is_empty() && error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::other(format!("`{host}` has no address"))))
}

fn listen_tcp(address: SocketAddr, dual: bool, options: &BindOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    // A restarted server need not wait for connections in TIME_WAIT. On Linux this lets nobody take a port over.
    socket.set_reuse_address(true)?;
    set_inherited(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog.into())?;
    Ok(socket)
}

/// Sets what every connection is to have on the listening socket, from which Linux hands it down.
fn set_inherited(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)
}

fn bind_unix(path: &Path, options: &BindOptions) -> io::Result<Listener> {
    let address = SockAddr::unix(path).map_err(|_| {
        let length = path.as_os_str().len();
        let message = format!("the path has {length} bytes, and that of a Unix socket at most 107");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let file = SocketFile::make(path, &address, &socket, options)?;
    Listener::new(socket, None, Some(file))
}

/// The file of a Unix socket, removed on drop if it still is the one that was made.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: whether the file at this path is still ours.
    identity: (u64, u64),
}

impl SocketFile {
    /// Binds `socket` to a file at `path`, in place of a stale one, and listens.
    fn make(path: &Path, address: &SockAddr, socket: &Socket, options: &BindOptions) -> io::Result<SocketFile> {
        let _lock = lock_folder(path);
        remove_stale(path, address)?;
        socket.bind(address)?;
        let metadata = fs::symlink_metadata(path)?;
        let file = SocketFile { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) };
        // Nobody can connect before `listen`, so there is no moment at which the file stands open to the wrong people.
        if let Some(mode) = options.unix_mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        socket.listen(options.backlog.into())?;
        Ok(file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A server that was started later may have put its own file in this place.
        let is_ours = |metadata: fs::Metadata| (metadata.dev(), metadata.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Locks the folder of `path` until the result is dropped.
///
/// Between two servers that start at once, to look whether a file is stale, to remove it and to make a new one must be
/// one step. A lock on the folder makes it one, and leaves nothing behind. Where it cannot be had (a folder that cannot
/// be read, a network file system, somebody who sits on the lock of /tmp) the steps are taken without.
fn lock_folder(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).ok()?;
    for _ in 0..100 {
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(Duration::from_millis(10)),
            Err(_) => return None,
            Ok(()) => return Some(folder),
        }
    }
    None
}

/// Removes a socket file that nobody accepts on.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => {
            let message = "there is a file at this path that is no socket; it was left as it is";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A server whose queue is full is alive, and must not make its successor wait.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // It was removed meanwhile by its owner, who was about to end.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// Why an address cannot be listened on, as a person who started a server can use it.
fn reason(error: &io::Error, address: &Address) -> String {
    match (error.kind(), address) {
        // A message of this module's own.
        _ if error.get_ref().is_some() => error.to_string(),
        (io::ErrorKind::AddrInUse, _) => "the address is in use; another program listens there".into(),
        (io::ErrorKind::PermissionDenied, Address::Tcp { port: 1..=1023, .. }) => {
            "permission denied (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)".into()
        }
        (io::ErrorKind::PermissionDenied, Address::Unix(path)) => {
            let user = rustix::process::geteuid().as_raw();
            format!("permission denied (may user {user} write to {}?)", path.parent().unwrap_or(path).display())
        }
        (io::ErrorKind::PermissionDenied, _) => "permission denied".into(),
        (io::ErrorKind::AddrNotAvailable, _) => "no interface of this machine has that address".into(),
        (io::ErrorKind::NotFound, Address::Unix(path)) => {
            format!("there is no folder {}", path.parent().unwrap_or(path).display())
        }
        _ => error.to_string(),
    }
}
