//! Certificates and keys in files: what is wrong with them is said in a sentence, and they can be renewed under a server
//! that runs.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rcgen::KeyPair;
use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_tls::{CertificateFiles, Watch};

use crate::common::{Authority, Files, Server, get, options, replace};

fn hello(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from("hello"))
}

#[test]
fn what_is_wrong_is_said() {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let (certificate, key) = (files.path("certificate.pem"), files.path("key.pem"));
    let write = |name: &str, text: &str| {
        fs::write(files.path(name), text).unwrap();
        files.path(name)
    };
    let certificate_text = fs::read_to_string(&certificate).unwrap();
    let key_text = fs::read_to_string(&key).unwrap();
    let other_key = write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let missing = files.path("missing.pem");
    let empty = write("empty.pem", "");
    let broken = write("broken.pem", &certificate_text.replace("-----END", "----END"));
    let junk = write("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let encrypted = write("encrypted.pem", &key_text.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let text = |files: CertificateFiles| files.load().unwrap_err().to_string();
    let shown = |path: &std::path::Path| path.display().to_string();

    assert_eq!(
        text(CertificateFiles::new(&missing, &key)),
        format!("{} cannot be read: No such file or directory (os error 2)", shown(&missing))
    );
    assert_eq!(
        text(CertificateFiles::new(&certificate, &missing)),
        format!("{} cannot be read: No such file or directory (os error 2)", shown(&missing))
    );
    for no_certificate in [&empty, &key] {
        assert_eq!(
            text(CertificateFiles::new(no_certificate, &key)),
            format!(
                "{} holds no certificate; one begins with the line -----BEGIN CERTIFICATE-----",
                shown(no_certificate)
            )
        );
    }
    assert!(text(CertificateFiles::new(&broken, &key)).contains("is not PEM throughout"));
    let error = text(CertificateFiles::new(&junk, &key));
    assert!(error.starts_with(&format!("{} holds a certificate that is no good", shown(&junk))), "{error}");
    for no_key in [&empty, &certificate] {
        assert_eq!(
            text(CertificateFiles::new(&certificate, no_key)),
            format!("{} holds no key; one begins with the line -----BEGIN PRIVATE KEY----- or the like", shown(no_key))
        );
    }
    assert!(text(CertificateFiles::new(&certificate, &encrypted)).contains("holds a key that is encrypted"));
    assert_eq!(
        text(CertificateFiles::new(&certificate, &other_key)),
        format!("the key in {} is not that of the certificate in {}", shown(&other_key), shown(&certificate))
    );
    let no_authority = CertificateFiles::new(&certificate, &key).client_ca(&empty, false);
    assert!(text(no_authority).contains("holds no certificate"));
    let junk = CertificateFiles::new(&certificate, &key).client_ca(&junk, true);
    assert!(text(junk).contains("holds a certificate that is no authority"));
}

#[test]
fn one_file_may_hold_both() {
    let authority = Authority::new("authority");
    let identity = authority.identity("server");
    let files = Files::new(&identity);
    let both = files.path("both.pem");
    fs::write(&both, format!("{}{}{}", identity.key, identity.certificate, authority.pem())).unwrap();
    CertificateFiles::new(&both, &both).load().unwrap();
}

/// As openssl writes them: PKCS #8, PKCS #1, SEC 1.
#[test]
fn keys_of_openssl_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| Command::new("openssl").args(arguments).current_dir(folder.path()).output();
    if run(&["version"]).is_err() {
        eprintln!("skipped: there is no openssl here");
        return;
    }
    for (kind, traditional) in
        [(&["rsa:2048"][..], &["rsa"][..]), (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], &["ec"])]
    {
        let mut request = vec!["req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
        request.extend(["-keyout", "key.pem", "-out", "certificate.pem", "-newkey"]);
        request.extend(kind);
        assert!(run(&request).unwrap().status.success());
        let files = |key: &str| CertificateFiles::new(folder.path().join("certificate.pem"), folder.path().join(key));
        files("key.pem").load().unwrap();
        let mut convert = traditional.to_vec();
        convert.extend(["-in", "key.pem", "-out", "old.pem"]);
        if traditional == ["rsa"] {
            convert.push("-traditional");
        }
        assert!(run(&convert).unwrap().status.success());
        files("old.pem").load().unwrap();
        // Encrypted, in both forms.
        for extra in [&["pkcs8", "-topk8"][..], &["pkey", "-traditional"]] {
            let mut encrypt = extra.to_vec();
            encrypt.extend(["-in", "key.pem", "-out", "locked.pem", "-passout", "pass:secret"]);
            if extra[0] == "pkey" {
                encrypt.push("-aes128");
            }
            assert!(run(&encrypt).unwrap().status.success());
            assert!(files("locked.pem").load().unwrap_err().to_string().contains("is encrypted"));
        }
    }
}

/// [10.44]
#[test]
fn a_certificate_is_renewed_under_a_server_that_runs() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = Files::new(&old.identity("server"));
    let mut server = Server::start(options(2), files.certificate_files(), hello);
    let client = |authority: &Authority| Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    let (old_client, new_client) = (client(&old), client(&new));
    let mut kept = server.connect(&old_client);
    kept.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    kept.read_until(b"hello");
    assert!(server.watch.reload_if_changed().is_none());
    assert!(server.get(&new_client, "/").is_err());

    // Half of it: that does not go together, is told once, and changes nothing.
    let renewed = new.identity("server");
    replace(&files.path("certificate.pem"), &renewed.certificate);
    let error = server.watch.reload_if_changed().unwrap().unwrap_err();
    assert!(error.to_string().contains("is not that of the certificate"), "{error}");
    assert!(server.watch.reload_if_changed().is_none());
    assert!(server.get(&old_client, "/").is_ok());
    fs::remove_file(files.path("key.pem")).unwrap();
    assert!(server.watch.reload_if_changed().unwrap().is_err());
    assert!(server.watch.reload_if_changed().is_none());

    replace(&files.path("key.pem"), &renewed.key);
    server.watch.reload_if_changed().unwrap().unwrap();
    assert!(server.get(&new_client, "/").unwrap().ends_with("hello"));
    // Who comes again with a ticket of the old key is not taken for known.
    assert!(server.get(&client(&old), "/").is_err());
    assert!(kept.exchange(&get("/")).unwrap().ends_with("hello"), "what is open goes on");
}

#[test]
fn files_behind_links_are_watched() {
    let authority = Authority::new("authority");
    let (first, second) = (Files::new(&authority.identity("first")), Files::new(&authority.identity("second")));
    let folder = tempfile::tempdir().unwrap();
    let current = folder.path().join("current");
    std::os::unix::fs::symlink(first.folder.path(), &current).unwrap();
    let mut watch =
        Watch::new(CertificateFiles::new(current.join("certificate.pem"), current.join("key.pem"))).unwrap();
    assert!(watch.reload_if_changed().is_none());
    let next = folder.path().join("next");
    std::os::unix::fs::symlink(second.folder.path(), &next).unwrap();
    fs::rename(next, &current).unwrap();
    watch.reload_if_changed().unwrap().unwrap();
    watch.reload().unwrap();
}
