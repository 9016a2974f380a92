//! Paths of requests, and the files that they lead to.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use tempfile::TempDir;
use wgi_backend::{Folder, Links};

fn file(path: &Path, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A folder `cgi` with things in it, and a folder beside it.
fn site() -> TempDir {
    let site = tempfile::tempdir().unwrap();
    let at = |name: &str| site.path().join(name);
    for (name, mode) in [
        ("cgi/run", 0o755),
        ("cgi/data", 0o644),
        ("cgi/sub/run", 0o755),
        ("cgi/.hidden", 0o755),
        ("cgi/.git/hook", 0o755),
        ("cgi/back\\slash", 0o755),
        ("cgi/caf\u{e9} 100%", 0o755),
        ("secret/run", 0o755),
    ] {
        file(&at(name), mode);
    }
    symlink("run", at("cgi/link")).unwrap();
    symlink("../run", at("cgi/sub/up")).unwrap();
    symlink("sub", at("cgi/folder")).unwrap();
    symlink(at("cgi/run"), at("cgi/absolute")).unwrap();
    symlink("../secret/run", at("cgi/out")).unwrap();
    symlink("../secret", at("cgi/outside")).unwrap();
    symlink("loop", at("cgi/loop")).unwrap();
    symlink("nowhere", at("cgi/dangling")).unwrap();
    UnixListener::bind(at("cgi/socket")).unwrap();
    site
}

/// The file that a path leads to, and what is left of the path.
fn find(site: &TempDir, links: Links, path: &str) -> Option<(String, String)> {
    let folder = Folder::new(site.path().join("cgi")).unwrap().links(links);
    let found = folder.find(path.as_bytes()).unwrap()?;
    let file = found.path.strip_prefix(folder.path()).unwrap().display().to_string();
    Some((file, path[found.used..].to_owned()))
}

#[test]
fn the_first_file_ends_the_way() {
    let site = site();
    for (path, file, rest) in [
        ("/run", "run", ""),
        ("/run/", "run", "/"),
        ("/run/a/../b//c", "run", "/a/../b//c"),
        ("/sub/run/x", "sub/run", "/x"),
        ("/data", "data", ""),
        ("/caf\u{e9} 100%/x", "caf\u{e9} 100%", "/x"),
    ] {
        assert_eq!(find(&site, Links::Inside, path), Some((file.to_owned(), rest.to_owned())), "{path}");
    }
}

#[test]
fn no_way_leads_out() {
    let site = site();
    for links in [Links::Never, Links::Inside, Links::Anywhere] {
        for path in [
            "",
            "/",
            "run",
            "//run",
            "/sub",
            "/sub/",
            "/sub//run",
            "/nothing",
            "/sub/nothing",
            "/..",
            "/../secret/run",
            "/sub/../run",
            "/sub/../../secret/run",
            "/./run",
            "/.hidden",
            "/.git/hook",
            "/back\\slash",
            "/..\\secret\\run",
            "/run\0",
            "/run\0/x",
            "/socket",
            "/dangling",
            "/loop",
            "*",
        ] {
            assert_eq!(find(&site, links, path), None, "{path:?} {links:?}");
        }
        assert_eq!(find(&site, links, &format!("/{}", "a".repeat(5000))), None);
        assert_eq!(find(&site, links, &"/sub".repeat(1000)), None);
    }
}

#[test]
fn links_are_followed_as_far_as_they_may_be() {
    let site = site();
    for (path, never, inside, anywhere) in [
        ("/link", false, true, true),
        ("/sub/up", false, true, true),
        ("/folder/run", false, true, true),
        ("/absolute", false, false, true),
        ("/out", false, false, true),
        ("/outside/run", false, false, true),
    ] {
        for (links, expected) in [(Links::Never, never), (Links::Inside, inside), (Links::Anywhere, anywhere)] {
            assert_eq!(find(&site, links, path).is_some(), expected, "{path} {links:?}");
        }
    }
}

#[test]
fn what_may_not_be_executed_is_said_to_be_so() {
    let site = site();
    let folder = Folder::new(site.path().join("cgi")).unwrap();
    assert!(folder.find(b"/run").unwrap().unwrap().is_executable);
    assert!(!folder.find(b"/data").unwrap().unwrap().is_executable);
}

#[test]
fn a_folder_that_is_replaced_is_the_new_one() {
    let site = site();
    symlink("cgi", site.path().join("current")).unwrap();
    let folder = Folder::new(site.path().join("current")).unwrap();
    assert!(folder.find(b"/data").unwrap().is_some());
    fs::remove_file(site.path().join("current")).unwrap();
    symlink("secret", site.path().join("current")).unwrap();
    assert!(folder.find(b"/data").unwrap().is_none());
    fs::remove_file(site.path().join("current")).unwrap();
    assert!(folder.find(b"/data").is_err());
}
