//! wgi-host
