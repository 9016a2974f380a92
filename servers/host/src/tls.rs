//! The certificate of HTTPS: read when the server starts, on SIGHUP, and when its files have changed.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;
use wgi_tls::{CertificateFiles, Tls, Unusable, Watch};

use crate::TlsFiles;
use crate::notify::Notifier;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate of every listener.
pub(crate) struct Certificates {
    watch: Watch,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(crate) fn new(files: &TlsFiles) -> io::Result<Certificates> {
        let certificate = files.certificate.clone().unwrap_or_default();
        let key = files.key.clone().unwrap_or_else(|| certificate.clone());
        let mut watched = CertificateFiles::new(certificate, key);
        if let Some(authorities) = &files.client_ca {
            watched = watched.client_ca(authorities, files.client_required);
        }
        match Watch::new(watched) {
            Ok(watch) => Ok(Certificates { watch }),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("cannot serve HTTPS: {error}"))),
        }
    }

    pub(crate) fn tls(&self) -> Arc<Tls> {
        self.watch.tls()
    }

    /// Reads the files anew on SIGHUP and when they have changed, for as long as the process lives.
    ///
    /// # Errors
    /// When the signal cannot be caught, or the system has no thread left.
    pub(crate) fn keep_fresh(mut self, notifier: Option<Arc<Notifier>>) -> io::Result<()> {
        let (hang_up, hung_up) = channel();
        let mut signals = Signals::new([SIGHUP])?;
        thread::Builder::new().name("wgi-hangup".into()).stack_size(64 * 1024).spawn(move || {
            for _ in signals.forever() {
                let _ = hang_up.send(());
            }
        })?;
        thread::Builder::new().name("wgi-certificates".into()).spawn(move || {
            loop {
                match (hung_up.recv_timeout(LOOK), &notifier) {
                    (Ok(()), Some(notifier)) => notifier.while_reloading(|| tell(self.watch.reload())),
                    (Ok(()), None) => tell(self.watch.reload()),
                    (Err(RecvTimeoutError::Timeout), _) => {
                        if let Some(result) = self.watch.reload_if_changed() {
                            tell(result);
                        }
                    }
                    (Err(RecvTimeoutError::Disconnected), _) => return,
                }
            }
        })?;
        Ok(())
    }
}

fn tell(result: Result<(), Unusable>) {
    match result {
        Ok(()) => tracing::info!("the certificate was read anew"),
        Err(error) => tracing::warn!("the certificate stays as it was: {error}"),
    }
}
