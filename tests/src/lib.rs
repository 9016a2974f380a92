//! wgi-conformance
