//! Files that are read anew when they have changed, so that a certificate can be renewed under a server that runs.

use std::sync::Arc;

use crate::files::Stamp;
use crate::{CertificateFiles, Tls, Unusable};

/// TLS from files, and what they were like when they were read.
#[derive(Debug)]
pub struct Watch {
    files: CertificateFiles,
    tls: Arc<Tls>,
    seen: Option<Vec<Stamp>>,
}

impl Watch {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// As [`CertificateFiles::load`].
    pub fn new(files: CertificateFiles) -> Result<Watch, Unusable> {
        let seen = files.stamps();
        let tls = Arc::new(Tls::new(files.load()?));
        Ok(Watch { files, tls, seen })
    }

    /// What the files make: for any number of listeners.
    pub fn tls(&self) -> Arc<Tls> {
        self.tls.clone()
    }

    /// Reads the files again, for the connections that come from now on.
    ///
    /// # Errors
    /// As [`CertificateFiles::load`]; then everything stays as it was.
    pub fn reload(&mut self) -> Result<(), Unusable> {
        // First: what changes while it is read has changed afterwards.
        self.seen = self.files.stamps();
        self.tls.replace(self.files.load()?);
        Ok(())
    }

    /// Reads the files again if one of them is another one than it was; none when they are not.
    ///
    /// A certificate and its key are two files, and between the change of one and that of the other they do not go
    /// together. So an error here may be gone with the next look; it comes once for each change.
    pub fn reload_if_changed(&mut self) -> Option<Result<(), Unusable>> {
        (self.files.stamps() != self.seen).then(|| self.reload())
    }
}
