//! What a client sends to a server of TLS, before anything is agreed on: records and messages of the handshake.
//!
//! Invariant: opening them never panics, whether they come whole, one by one or in two parts; nothing comes out that an
//! application would see, for no handshake can be over; what is said back is records of the handshake and alerts; and
//! behind an error nothing is opened or sealed.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use wgi_engine::{NotOpened, Transports};
use wgi_tls::{CertificateFiles, Tls};

fn tls() -> &'static Tls {
    static TLS: OnceLock<Tls> = OnceLock::new();
    TLS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let path = std::env::temp_dir().join(format!("wgi-fuzz-{}.pem", std::process::id()));
        std::fs::write(&path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
        let config = CertificateFiles::new(&path, &path).client_ca(&path, false).load().unwrap();
        std::fs::remove_file(path).unwrap();
        Tls::new(config)
    })
}

fuzz_target!(|input: &[u8]| {
    let (front, back) = input.split_at(input.len() / 2);
    feed([input]);
    feed([front, back]);
    if input.len() < 2_000 {
        feed(input.chunks(1));
    }
});

fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut transport = tls().transport().unwrap();
    let (mut plain, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        transport.received().extend_from_slice(piece);
        let opened = transport.open(&mut plain, &mut out);
        assert!(plain.is_empty() && !transport.is_open());
        assert!(transport.seal(b"early", &mut Vec::new()).is_err());
        if opened.is_err() {
            if let Err(NotOpened::Refused(_)) = opened {
                transport.received().extend_from_slice(piece);
                assert!(transport.open(&mut plain, &mut Vec::new()).is_err());
            }
            break;
        }
    }
    check_records(&out);
}

/// RFC 8446 §5.1: type, version, length.
fn check_records(mut out: &[u8]) {
    while let Some((&[kind, 3, _, high, low], rest)) = out.split_first_chunk() {
        // change_cipher_spec, alert, handshake, and what is sealed of the handshake in TLS 1.3.
        assert!((20..=23).contains(&kind));
        out = &rest[usize::from(u16::from_be_bytes([high, low]))..];
    }
    assert!(out.is_empty(), "no whole records");
}
