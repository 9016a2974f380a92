//! wgi-http
