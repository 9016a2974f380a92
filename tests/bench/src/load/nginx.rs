//! nginx, with a configuration in a folder of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

use anyhow::Result;

use crate::process::{Server, free_address};
use crate::programs::installed;

/// A running nginx, in front of a server or alone.
pub struct Nginx {
    pub server: Server,
    _folder: Folder,
}

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Nginx {
    /// Starts nginx with one worker on a core. `location` goes into its only server; the upstream `peer` is the address.
    pub fn start(core: usize, location: &str, peer: SocketAddr) -> Result<Nginx> {
        let address = free_address()?;
        let folder = std::env::temp_dir().join(format!("wgi-bench-nginx-{}", address.port()));
        fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let path = folder.0.display();
        let configuration = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/error.log crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;\n\
             client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;\n\
             uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n\
             upstream peer {{ server {peer}; keepalive 64; keepalive_requests 1000000000; }}\n\
             server {{ listen {address}; {location} }}\n\
             }}\n"
        );
        fs::write(folder.0.join("nginx.conf"), configuration)?;
        let mut command = Command::new(installed("nginx")?);
        command.arg("-p").arg(&folder.0).arg("-c").arg(folder.0.join("nginx.conf"));
        Ok(Nginx { server: Server::start(command, address, core)?, _folder: folder })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => eprintln!("{}: {error}", self.0.display()),
            _ => {}
        }
    }
}
