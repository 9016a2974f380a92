//! Which peers are meant: addresses, networks, and whoever connects over a Unix socket.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A set of peers, as a deployer names them: IP addresses, networks in CIDR notation, and `unix:` for whoever
/// connects over a Unix socket.
///
/// ```
/// use wgi_engine::Peers;
///
/// let peers: Peers = "192.0.2.7, 2001:db8::/32".parse()?;
/// assert!(peers.contains("192.0.2.7".parse().unwrap()));
/// assert!(peers.contains("2001:db8::1".parse().unwrap()));
/// assert!(!peers.contains_unix());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Peers {
    /// Whether a peer at this address is among them. An IPv4 address counts as such also within an IPv6 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether peers on Unix sockets, which have no address, are among them.
    pub fn contains_unix(&self) -> bool {
        self.unix
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Adds those of another set.
    pub fn extend(&mut self, others: Peers) {
        self.networks.extend(others.networks);
        self.unix |= others.unix;
    }
}

impl FromStr for Peers {
    type Err = String;

    /// # Errors
    /// A sentence that quotes what is wrong and says which form was expected.
    fn from_str(text: &str) -> Result<Peers, String> {
        let mut peers = Peers::default();
        for peer in text.split(',').map(str::trim) {
            match peer {
                "unix:" => peers.unix = true,
                peer => peers.networks.push(network(peer)?),
            }
        }
        Ok(peers)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network = text.parse::<IpNet>().map_err(|_| {
        format!("`{text}` is neither an address nor a network; write 192.0.2.7, 10.0.0.0/8, 2001:db8::/32 or unix:")
    })?;
    // A slip of the finger in front of the slash would let in others than were meant.
    if network.network() != network.addr() {
        return Err(format!("`{text}` has bits behind its prefix; write {} for the network", network.trunc()));
    }
    if matches!(network.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(format!("`{text}` is made of IPv4 addresses; write it as a network of IPv4"));
    }
    Ok(network)
}
