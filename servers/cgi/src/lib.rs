//! wgi-cgi
