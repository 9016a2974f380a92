//! wgi-fastcgi
