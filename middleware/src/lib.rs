//! wgi-middleware
