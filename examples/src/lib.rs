//! wgi-examples
